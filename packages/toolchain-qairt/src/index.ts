/** The vendor's compiler for Hexagon processors: chips and Genie bundles. */
export { LARGEST_BINARY, chipLimits } from './chips/chip.js';
export type { Chip, ChipLimits, DeviceSystem } from './chips/chip.js';
export { chipByName, chipBySoc } from './chips/find-chip.js';
export { CHIPS } from './chips/table.js';
export { bundleFiles } from './genie/bundle-files.js';
export { PERFORMANCE_PROFILES } from './genie/bundle-plan.js';
export type { BundleFile, BundlePart, BundlePlan, CompileSettings, DeviceSettings, PerformanceProfile } from './genie/bundle-plan.js';
export type { Bundle, BundleGraph, BundleTensor, BundleBinary } from './genie/bundle.js';
export { bundleBinary } from './genie/inspected-binary.js';
export type { InspectedBinary, InspectedTensor } from './genie/inspected-binary.js';
export { configIssues } from './genie/config-schema.js';
export { defaultCompileSettings, defaultDeviceSettings } from './genie/default-settings.js';
export { htpCompileConfig, htpExtensions } from './genie/htp-config.js';
export { BUNDLE_RULES, lintBundle } from './genie/lint/lint-bundle.js';
export type { BundleErrorCode, BundleRule } from './genie/lint/rule.js';
export { readBundle } from './genie/read-bundle.js';
export { runList, runListText } from './genie/run-list.js';
export type { RunListEntry } from './genie/run-list.js';
