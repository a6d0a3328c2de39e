/** The chips: SoC id, Hexagon version, VTCM and names. */
import type { Chip, DeviceSystem } from './chip.js';

const chip = (name: string, socModel: number, hexagon: number, vtcmMb: number, system: DeviceSystem, ...aliases: string[]): Chip => ({ name, aliases, socModel, hexagon, vtcmMb, system });

/**
 * Sources. ET: ExecuTorch, backends/qualcomm/serialization/qc_schema.py (id, version, VTCM). ORT: onnxruntime-qnn, soc_table.h (id, version).
 * LRT: LiteRT, qualcomm/core/schema/soc_table.h, from the documentation of QAIRT 2.47 (names that share an id). HUB: names of AI Hub.
 * RAN: the version that the compiler of QAIRT 2.51 wrote into a binary for this id.
 * Chips whose VTCM is not public are left out: SC8280XP, SM8325, SM7675, SA7255P with SA8620P, QCS8275, CQ7790.
 */
export const CHIPS: readonly Chip[] = [
  // Phones: ET, ORT, HUB; 30, 36, 43, 57, 69, 87 RAN. SM8635 and SM8735: ExecuTorch pull request 19216.
  chip('SM8350', 30, 68, 4, 'android', 'Snapdragon 888'),
  chip('SM8450', 36, 69, 8, 'android', 'Snapdragon 8 Gen 1'),
  chip('SM8475', 42, 69, 8, 'android', 'Snapdragon 8+ Gen 1'),
  chip('SM8550', 43, 73, 8, 'android', 'Snapdragon 8 Gen 2'),
  chip('SM8635', 68, 73, 8, 'android', 'Snapdragon 8s Gen 3'),
  chip('SM8650', 57, 75, 8, 'android', 'Snapdragon 8 Gen 3'),
  chip('SM8735', 85, 79, 8, 'android', 'Snapdragon 8s Gen 4'),
  chip('SM8750', 69, 79, 8, 'android', 'Snapdragon 8 Elite', 'Snapdragon 8 Elite for Galaxy'),
  chip('SM8845', 97, 81, 8, 'android', 'Snapdragon 8 Gen 5'),
  chip('SM8850', 87, 81, 8, 'android', 'Snapdragon 8 Elite Gen 5'),
  // Laptops: ORT, HUB; both RAN. VTCM 8: settings of Olive.
  chip('SC8380XP', 60, 73, 8, 'windows', 'Snapdragon X Elite', 'Snapdragon X Plus'),
  chip('SC8480XP', 88, 81, 8, 'windows', 'Snapdragon X2 Elite'),
  // Cars: ET, LRT.
  chip('SA8295P', 39, 68, 8, 'android', 'SA8295'),
  chip('SA8540P', 62, 68, 8, 'android', 'SA8540'),
  chip('SA8775P', 52, 73, 8, 'android', 'SA8775', 'SA8255P', 'SA8255', 'SA8650P', 'SA8650'),
  chip('SA8797P', 72, 81, 16, 'android', 'SA8797'),
  // Industry: ET, LRT; 77 RAN. QCS8550 is the silicon of SM8550 under an id of its own.
  chip('QCS9075', 77, 73, 8, 'linux', 'QCS9100', 'IQ-9075', 'Dragonwing IQ-9075'),
  chip('QCS8550', 66, 73, 8, 'android'),
  chip('QCM6490', 93, 68, 2, 'linux', 'QCS6490'),
  // Headsets, glasses, watches: ET.
  chip('SXR1230P', 45, 73, 2, 'android'),
  chip('SXR2230P', 53, 69, 8, 'android'),
  chip('SXR2330P', 75, 79, 8, 'android'),
  chip('SSG2115P', 46, 73, 2, 'android', 'SAR2130P'),
  chip('SSG2125P', 58, 73, 2, 'android', 'SAR1130P'),
  chip('SAR2230P', 95, 81, 4, 'android'),
  chip('SW6100', 96, 81, 4, 'android'),
];
