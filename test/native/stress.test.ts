import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiler } from './explorer/runs.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** By hand, for longer: the program's own comment says how. */
const BOUNDS = ['publishes=30000', 'adoptions=3000'];

const environment = {
  ...process.env,
  TSAN_OPTIONS: 'halt_on_error=1:exitcode=66',
  // The process ends in the middle of things when it has found something; leaks are not what is looked for.
  ASAN_OPTIONS: 'detect_leaks=0',
};

describe('the handshake with real threads', () => {
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'vitrine-stress-'));
    writeFileSync(join(directory, 'probe.cc'), 'int main() { return 0; }\n');
  });

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  const build = (source: string, name: string, flags: readonly string[]): string => {
    const program = join(directory, name);
    const [command, ...ownFlags] = compiler();
    const { status, stderr, error } = spawnSync(
      command,
      [...ownFlags, '-std=c++20', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-pthread', ...flags].concat([
        '-o',
        program,
        source,
      ]),
      { cwd: root, encoding: 'utf8' },
    );
    if (error) throw error;
    if (status !== 0) throw new Error(stderr);
    return program;
  };

  const run = (program: string, ...args: string[]) =>
    spawnSync(program, args, { encoding: 'utf8', env: environment });

  /** Why programs built so do not run here; undefined if they do. */
  const obstacle = (name: string, flags: readonly string[]): string | undefined => {
    try {
      const { status, stderr } = run(build(join(directory, 'probe.cc'), `probe-${name}`, flags));
      return status === 0 ? undefined : stderr;
    } catch (error) {
      return String(error);
    }
  };

  const sanitizers = {
    thread: ['-fsanitize=thread'],
    'address,undefined': ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
    no: [],
  };

  for (const [sanitizer, flags] of Object.entries(sanitizers)) {
    it(`is whole, in order and complete, with ${sanitizer} sanitizer`, (context) => {
      const missing = obstacle(sanitizer, flags);
      if (missing) context.skip(`no runtime for ${flags.join(' ')} on this machine: ${missing}`);
      const program = build('test/native/stress.cc', `stress-${sanitizer}`, flags);
      const { status, stdout, stderr } = run(program, ...BOUNDS);
      expect(stderr).toBe('');
      expect(status).toBe(0);
      const totals: Record<string, number> = JSON.parse(stdout);
      expect(totals['publishes']).toBeGreaterThanOrEqual(30_000);
      for (const kind of ['rewrites', 'replacements', 'vacated', 'held'])
        expect(totals[kind]).toBeGreaterThan(0);
      console.log(`${sanitizer} sanitizer: ${stdout.trim()}`);

      for (const mutant of ['countIgnored', 'versionNotRechecked']) {
        expect(run(program, ...BOUNDS, `mutant=${mutant}`).status, mutant).not.toBe(0);
      }
    });
  }
});
