/** The recipe.yaml that a new model starts with: what is set, and every default as a comment. */

export interface RecipeChoices {
  /** As it will stand in the recipe: a path that begins with ./ or ../ or /, or a hub id. */
  readonly checkpoint: string;
  /** Calibration text relative to the recipe; `default` when the checkpoint folder has a calibration.txt; `none` when there is no text. */
  readonly calibration: { readonly kind: 'file'; readonly path: string } | { readonly kind: 'default' } | { readonly kind: 'none' };
}

/** Text of recipe.yaml, LF, with a final newline. */
export function recipeText({ checkpoint, calibration }: RecipeChoices): string {
  return `# What to build. Every option but checkpoint has a default; the defaults are shown as comments.
checkpoint: ${JSON.stringify(checkpoint)}   # a folder or .gguf file (./ ../ /) or a hub id: org/name, org/name@revision
# toolchain: host                # what compiles and runs the graphs
# graphs:
#   ar: [1, 128]                 # tokens a pass: 1 decodes, the larger one reads the prompt
#   cl: [512, 1024]              # context lengths; default: 512 to 4096 as far as the model reaches
#   parts: 1                     # parts that the layers are split into
# optimize: { foldNormGains: false, rotate: { r1: false, r2: false, r3: false } }
${quantizeSection(calibration)}# transform: { mha2sha: false }    # true: operations of its own for each attention head, as accelerators want them
# compile: { prepack: true }       # weights in the layout of the processor: larger, opens at once
# evaluate: { text: ./checkpoint/eval.txt, protocol: mini, windowLength: 512 }
# generation: { maxTokens: 256 }
`;
}

function quantizeSection(calibration: RecipeChoices['calibration']): string {
  if (calibration.kind === 'none') {
    return `# Activation ranges are measured on a text, and this checkpoint brings none, so this recipe builds in floating point.
# To quantize: replace the next line by
#   quantize: { calibration: { text: ./calibration.txt } }   # UTF-8 text of the kind that the model will see
quantize: none
`;
  }
  if (calibration.kind === 'default') {
    return `# quantize:                        # or: none, for a floating-point build
#   weights: { scheme: lpbq, bits: 4, blockSize: 32 }
#   lmHead: { bits: 8 }
#   embedding: { bits: 16 }
#   activations: { bits: 16 }
#   kvCache: { bits: 8 }
#   calibration: { windows: 32, windowLength: 512 }   # text: calibration.txt of the checkpoint
`;
  }
  return `quantize:                          # or: none, for a floating-point build
#   weights: { scheme: lpbq, bits: 4, blockSize: 32 }
#   lmHead: { bits: 8 }
#   embedding: { bits: 16 }
#   activations: { bits: 16 }
#   kvCache: { bits: 8 }
  calibration: { text: ${JSON.stringify(calibration.path)} }   # windows: 32, windowLength: 512
`;
}
