/** toolchain and what inspect and doctor say of the vendor's libraries, as processes, with a home folder that is empty. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryPath, temporaryFolder } from '../../stages/test/workspace.js';
import { json, tundish } from './built-model.js';

const fixture = (name: string): string => repositoryPath(`test/fixtures/qnn/${name}`);

function emptyHome(): { readonly root: string } {
  const root = join(temporaryFolder(), 'home');
  mkdirSync(root);
  return { root };
}

describe('toolchain', () => {
  it('names licence and terms in three lines, and fetches nothing without a yes', () => {
    const home = emptyHome();
    const { code, stdout, stderr } = tundish(home, 'toolchain', 'install', 'qairt', '--version', '2.5.0');
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr.split('\n').slice(0, 4)).toEqual([
      expect.stringMatching(/^onnxruntime-qnn 2\.5\.0 .*QAIRT 2\.49/), expect.stringMatching(/^Licence: AI Stack License/), expect.stringMatching(/^It forbids/), expect.stringMatching(/^QAIRT_LICENCE/),
    ]);
    expect(readdirSync(home.root)).toEqual([]);
  });

  it('installs nothing of another name, version or content', () => {
    const home = emptyHome();
    expect(tundish(home, 'toolchain', 'install', 'host', '--accept-licence')).toMatchObject({ code: 3, stderr: expect.stringContaining('CLI_TOOLCHAIN_UNKNOWN') as string });
    expect(tundish(home, 'toolchain', 'install', 'qairt', '--accept-licence', '--version', '1.0.0')).toMatchObject({ code: 3, stderr: expect.stringContaining('QAIRT_VERSION_UNKNOWN') as string });
    writeFileSync(join(home.root, 'file.whl'), 'no wheel');
    expect(tundish(home, 'toolchain', 'install', 'qairt', '--accept-licence', '--wheel', 'file.whl').stderr).toContain('QAIRT_WHEEL_DAMAGED');
    expect(readdirSync(join(home.root, '.cache/tundish/qairt'))).toEqual([]);
  });

  it('lists what is here, also when that is nothing', () => {
    expect(json(tundish(emptyHome(), 'toolchain', 'list', '--json'))).toEqual([]);
    expect(tundish(emptyHome(), 'toolchain', 'list').stdout).toMatch(/install qairt --accept-licence\n.*2\.7\.0 \(QAIRT 2\.51\), 2\.5\.0/);
  });
});

describe('inspect without the libraries', () => {
  it('says what to do about a context binary, and reads what needs none', () => {
    const home = emptyHome();
    expect(tundish(home, 'inspect', fixture('stories260k_context.bin'))).toMatchObject({ code: 3, stderr: expect.stringMatching(/QAIRT_LIBRARY_MISSING.*\n.*\n.*toolchain install qairt/) as string });
    expect(json(tundish(home, 'inspect', fixture('test_abs.dlc'), '--json'))).toMatchObject({ kind: 'deep learning container', models: [{ entry: 'model', major: 3 }, {}] });
    const wrapper = json<{ epContexts: object[]; binaries: object[] }>(tundish(home, 'inspect', fixture('qnn_multi_ctx_external.onnx'), '--json'));
    expect(wrapper.epContexts).toHaveLength(2);
    expect(wrapper.binaries).toEqual([1, 2].map(() => ({ unread: expect.stringContaining('not installed') as string })));
  });
});
