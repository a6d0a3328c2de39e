"""Runs an ONNX file once with ONNX Runtime's QNN provider, or its own kernels. Arguments: a JSON file with model, provider (none for its own), backend, soc, inputs {name: file}, outputs (a folder)."""
import json
import sys

import numpy as np
import onnxruntime as ort

with open(sys.argv[1]) as file:
    asked = json.load(file)
options = ort.SessionOptions()
options.log_severity_level = 3
if "provider" in asked:
    ort.register_execution_provider_library("QNNExecutionProvider", asked["provider"])
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    devices = [device for device in ort.get_ep_devices() if device.ep_name == "QNNExecutionProvider"]
    options.add_provider_for_devices(devices, {"backend_path": asked["backend"], "soc_model": str(asked["soc"]), "offload_graph_io_quantization": "0"})
else:
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
session = ort.InferenceSession(asked["model"], options)
types = {"tensor(uint8)": np.uint8, "tensor(uint16)": np.uint16, "tensor(int32)": np.int32}
inputs = {each.name: np.fromfile(asked["inputs"][each.name], types[each.type]).reshape(each.shape) for each in session.get_inputs()}
for each, values in zip(session.get_outputs(), session.run(None, inputs)):
    values.tofile(f"{asked['outputs']}/{each.name}")
