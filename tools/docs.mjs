/** Writes docs/recipe.md from the recipe's schema and docs/errors.md from the declared errors; `--check` only says what is stale. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { declaredErrors } from '@tundish/diagnostics';

const WORKSPACE = join(dirname(fileURLToPath(import.meta.url)), '..');
const MADE = 'Made by `node tools/docs.mjs`; do not edit.';

/** The recipe as JSON schema, by the zod that made it, wherever that is installed. */
async function recipeJsonSchema() {
  const path = createRequire(import.meta.resolve('@tundish/recipe')).resolve('zod');
  const [{ z }, { recipeSchema }] = await Promise.all([import(pathToFileURL(path).href), import('@tundish/recipe')]);
  return z.toJSONSchema(recipeSchema, { io: 'input' });
}

/** One row per option and one sentence per section, in the order of the schema. */
function optionsOf(schema, path, rows) {
  const section = sectionOf(schema);
  for (const [name, property] of Object.entries(section.properties)) {
    const key = [...path, name];
    const nested = sectionOf(property);
    const meaning = property.description ?? nested?.description;
    if (meaning === undefined) throw new Error(`${key.join('.')} has no description in the schema`);
    const isSection = nested !== undefined;
    rows.push({ key: key.join('.'), isSection, values: isSection ? sectionValues(property) : valuesOf(property), preset: isSection ? '' : presetOf(property, section, name), meaning });
    if (isSection) optionsOf(property, property.type === 'array' ? [...path, `${name}[]`] : key, rows);
  }
  return rows;
}

/** The mapping that a property is, may be, or is a list of. */
function sectionOf(property) {
  return [property, ...(property.anyOf ?? []), property.items ?? {}].find(({ properties }) => properties !== undefined);
}

/** What a section may be instead of its options. */
function sectionValues({ type, anyOf }) {
  if (type === 'array') return 'list of the options below';
  const others = (anyOf ?? []).filter(({ properties }) => properties === undefined);
  return others.length === 0 ? '' : `${others.map(valuesOf).join(', ')}, or the options below`;
}

function valuesOf(property) {
  if (property.const !== undefined) return code(property.const);
  if (property.enum !== undefined) return property.enum.map(code).join(', ');
  if (property.type === 'array') return `list of ${valuesOf(property.items)}`;
  if (property.type === 'integer') return `${property.minimum} to ${property.maximum}`;
  if (property.type === 'object') return 'mapping';
  if (property.type === 'boolean') return '`true`, `false`';
  return 'text';
}

function presetOf(property, section, name) {
  if (property.default !== undefined) return code(property.default);
  return section.required?.includes(name) === true ? 'required' : '';
}

function code(value) {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)?.replaceAll(',', ', ')}\``;
}

async function recipePage() {
  const rows = optionsOf(await recipeJsonSchema(), [], []);
  const table = rows.map(({ key, isSection, values, preset, meaning }) => `| ${isSection ? `**${key}**` : `\`${key}\``} | ${values} | ${preset} | ${cell(meaning)} |`);
  return `# recipe.yaml

${MADE}

Only \`checkpoint\` is required. A key that is not listed here is an error that names the nearest known key and the line. Options that cannot change a result (threads, folders) are not recipe options.

| option | values | default | meaning |
|---|---|---|---|
${table.join('\n')}
`;
}

/** Declared errors by package. Files of codes import nothing that declares any, so what is new after each import is its own. */
async function errorsByPackage() {
  const folders = ['native', ...readdirSync(join(WORKSPACE, 'packages')).sort().map((name) => `packages/${name}`)];
  const groups = [];
  const known = new Set();
  for (const folder of folders) {
    const file = join(WORKSPACE, folder, 'dist', 'errors.js');
    if (!existsSync(file)) continue;
    await import(pathToFileURL(file).href);
    const errors = [...declaredErrors()].filter(([name]) => !known.has(name));
    for (const [name] of errors) known.add(name);
    groups.push({ folder, errors });
  }
  return groups;
}

async function errorsPage() {
  const sections = (await errorsByPackage()).map(({ folder, errors }) => `## ${folder}\n\n| code | meaning |\n|---|---|\n${errors.map(([name, meaning]) => `| \`${name}\` | ${cell(meaning)} |`).join('\n')}\n`);
  return `# Error codes

${MADE}

Every failure is printed as \`CODE: what\`, then \`why\`, \`at\` (file, line, byte), and \`fix\` where one is known.

${sections.join('\n')}`;
}

function cell(text) {
  return text.replaceAll('|', '\\|');
}

// Errors first: the recipe's schema brings packages along that declare theirs.
const pages = { 'docs/errors.md': await errorsPage(), 'docs/recipe.md': await recipePage() };
const stale = Object.entries(pages).filter(([path, text]) => !existsSync(join(WORKSPACE, path)) || readFileSync(join(WORKSPACE, path), 'utf8') !== text);
if (process.argv.includes('--check')) {
  for (const [path] of stale) console.error(`${path} is stale: run node tools/docs.mjs`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [path, text] of stale) writeFileSync(join(WORKSPACE, path), text);
  console.log(stale.length === 0 ? 'nothing to write' : `wrote ${stale.map(([path]) => path).join(', ')}`);
}
