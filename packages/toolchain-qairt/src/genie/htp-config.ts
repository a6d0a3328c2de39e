/** Configurations of the vendor's backend: the one that a bundle runs with, and the one that stands for how a part was compiled. */
import type { BundlePart, BundlePlan } from './bundle-plan.js';

export const EXTENSIONS_FILE = 'htp_backend_ext_config.json';

/** htp_backend_ext_config.json of the running bundle. `context` is an object here, and a list where the compiler reads it. */
export function htpExtensions(plan: BundlePlan): Record<string, unknown> {
  return { devices: [device(plan)], memory: { mem_type: 'shared_buffer' }, context: { weight_sharing_enabled: plan.compile.weightSharing } };
}

/** What the vendor's context binary generator would be given to compile this part the same way. */
export function htpCompileConfig(plan: BundlePlan, part: BundlePart): Record<string, unknown> {
  const { compile } = plan;
  return {
    graphs: [
      {
        graph_names: part.graphs.map(({ name }) => name),
        O: compile.optimization,
        vtcm_mb: compile.vtcmMb,
        ...(compile.dlbc ? { dlbc: 1 } : {}),
        ...(compile.hvxThreads === undefined ? {} : { hvx_threads: compile.hvxThreads }),
      },
    ],
    devices: [device(plan)],
    context: [{ weight_sharing_enabled: compile.weightSharing }],
    memory: { mem_type: 'shared_buffer' },
  };
}

function device({ chip, device: { profile, domain } }: BundlePlan): Record<string, unknown> {
  return {
    device_id: 0,
    soc_model: chip.socModel,
    dsp_arch: `v${chip.hexagon}`,
    pd_session: domain,
    cores: [{ core_id: 0, perf_profile: profile, rpc_control_latency: 100 }],
  };
}
