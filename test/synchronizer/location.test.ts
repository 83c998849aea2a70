import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openReader, openWriter, type WriterOptions } from '../../src/index.ts';
import { resolveLocation } from '../../src/synchronizer/location.ts';
import { failure, freshDirectory, freshLocation, read, write } from '../support/place.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

const bothSides: [string, (location: string) => unknown][] = [
  ['writer', (location) => openWriter(location)],
  ['reader', (location) => openReader(location).current()],
];

beforeEach(() => {
  vi.stubEnv('VITRINE_DIRECTORY', undefined);
  vi.stubEnv('XDG_RUNTIME_DIR', undefined);
});
afterEach(() => void vi.unstubAllEnvs());

describe('a location', () => {
  it('is a bare name or a path that ends in a name', () => {
    const directory = freshDirectory();
    for (const name of ['a', 'ä ö', '.hidden', 'a.b-c_d', '...', 'x'.repeat(200), 'é'.repeat(100), '\n']) {
      write(join(directory, name)).publish(name);
      expect(read(join(directory, name)).current()).toBe(name);
    }
    vi.stubEnv('VITRINE_DIRECTORY', directory);
    expect(read('a').current()).toBe('a');
  });

  it('may be relative, and is told as an absolute one', () => {
    const location = freshLocation();
    const writer = write(relative(process.cwd(), location).replace(/^(?:\.\.\/)+/, '/'));
    expect(writer.location).toBe(location);
    writer.publish('a');
    expect(read(location).current()).toBe('a');
    expect(resolveLocation('./a').prefix).toBe(join(process.cwd(), 'a'));
    expect(resolveLocation('b/a').prefix).toBe(join(process.cwd(), 'b', 'a'));
  });

  it('may go through a symbolic link to a directory', () => {
    const [directory, elsewhere] = [freshDirectory(), freshDirectory()];
    symlinkSync(directory, join(elsewhere, 'link'));
    write(join(elsewhere, 'link', 'a')).publish('a');
    expect(read(join(directory, 'a')).current()).toBe('a');
  });

  for (const [side, open] of bothSides) {
    it(`is refused by a ${side} where it is no name`, () => {
      const directory = freshDirectory();
      vi.stubEnv('VITRINE_DIRECTORY', directory);
      const names = [
        ...['', '.', '..', 'a/../b', '../a', 'a/..', './', '/', 'a/', `${directory}/`, `${directory}/a/.`],
        ...['a\0b', '\0', `${directory}/a\0`, 'x'.repeat(300), `${directory}/${'x'.repeat(300)}`],
        ...[
          'é'.repeat(101),
          undefined,
          null,
          5,
          {},
          ['a'],
          Symbol('a'),
          Buffer.from('a'),
          new URL('file:///a'),
        ],
      ];
      for (const name of names) {
        expect(failure('LOCATION_INVALID', () => open(name as string)).field, String(name)).toBe('location');
      }
      expect(readdirSync(directory)).toEqual([]);
    });

    it(`is refused by a ${side} where the way there is not one of directories`, () => {
      const directory = freshDirectory();
      writeFileSync(join(directory, 'file'), 'kept');
      const long = join(directory, ...Array.from({ length: 25 }, () => 'x'.repeat(200)), 'a');
      for (const name of [join(directory, 'file/a'), join(directory, 'file/a/b'), long]) {
        expect(failure('LOCATION_INVALID', () => open(name)).path).toContain(directory);
      }
      expect(readFileSync(join(directory, 'file'), 'utf8')).toBe('kept');
      expect(readdirSync(directory)).toEqual(['file']);
    });

    it(`is refused by a ${side} on a file system that is not known to work`, () => {
      for (const directory of ['/proc', '/sys', '/proc/self/fd']) {
        const error = failure('FILE_SYSTEM_UNSUPPORTED', () => open(`${directory}/vitrine`));
        expect(error.path).toBe(directory);
        expect(error.message).toContain('tmpfs');
      }
    });
  }

  it('needs its directory to write to, and may wait for it to read from', () => {
    const location = join(freshDirectory(), 'missing', 'a');
    expect(failure('LOCATION_INVALID', () => openWriter(location)).path).toContain('missing');
    const reader = read(location);
    failure('NOT_PUBLISHED', () => reader.current());
    mkdirSync(dirname(location));
    write(location).publish('a');
    expect(reader.current()).toBe('a');
  });

  it('is not touched before it is read from', () => {
    const reader = openReader('/proc/vitrine');
    expect(reader.version).toBe(0);
    reader.close();
  });
});

describe('a bare name', () => {
  it('lives in VITRINE_DIRECTORY, else below XDG_RUNTIME_DIR, else in shared memory by user', () => {
    const byUser = `/dev/shm/vitrine-${process.getuid?.()}/a`;
    expect(resolveLocation('a').prefix).toBe(byUser);
    vi.stubEnv('XDG_RUNTIME_DIR', 'run/user');
    expect(resolveLocation('a').prefix).toBe(byUser);
    vi.stubEnv('XDG_RUNTIME_DIR', '/run/user/7');
    expect(resolveLocation('a').prefix).toBe('/run/user/7/vitrine/a');
    vi.stubEnv('VITRINE_DIRECTORY', '/srv/stores');
    expect(resolveLocation('a').prefix).toBe('/srv/stores/a');
    vi.stubEnv('VITRINE_DIRECTORY', '');
    expect(resolveLocation('a').prefix).toBe('/run/user/7/vitrine/a');
    expect(resolveLocation('/tmp/a').prefix).toBe('/tmp/a');
  });

  it('has its directory made by the writer, for this user alone', () => {
    const runtime = freshDirectory();
    vi.stubEnv('XDG_RUNTIME_DIR', runtime);
    const reader = read('a');
    failure('NOT_PUBLISHED', () => reader.current());
    expect(readdirSync(runtime)).toEqual([]);
    const writer = write('a');
    writer.publish('value');
    expect(writer.location).toBe(join(runtime, 'vitrine', 'a'));
    expect(statSync(join(runtime, 'vitrine')).mode & 0o777).toBe(0o700);
    expect(reader.current()).toBe('value');
  });

  it('has no directory made below one that is missing', () => {
    const directory = join(freshDirectory(), 'missing', 'private');
    vi.stubEnv('VITRINE_DIRECTORY', directory);
    expect(failure('LOCATION_INVALID', () => openWriter('a')).path).toBe(directory);
    failure('NOT_PUBLISHED', () => read('a').current());
  });

  for (const [side, open] of bothSides) {
    it(`is refused by a ${side} in a directory that others can write to, or that is none`, () => {
      for (const mode of [0o777, 0o770, 0o720, 0o702]) {
        const directory = freshDirectory();
        chmodSync(directory, mode);
        vi.stubEnv('VITRINE_DIRECTORY', directory);
        expect(failure('PERMISSION', () => open('a')).path).toBe(directory);
        expect(readdirSync(directory)).toEqual([]);
      }
      const directory = freshDirectory();
      symlinkSync(freshDirectory(), join(directory, 'link'));
      writeFileSync(join(directory, 'file'), '');
      for (const name of ['link', 'file']) {
        vi.stubEnv('VITRINE_DIRECTORY', join(directory, name));
        expect(failure('PERMISSION', () => open('a')).path).toBe(join(directory, name));
      }
    });

    it.runIf(isRoot)(`is refused by a ${side} in a directory of somebody else`, () => {
      const directory = freshDirectory();
      chownSync(directory, NOBODY, NOBODY);
      vi.stubEnv('VITRINE_DIRECTORY', directory);
      expect(failure('PERMISSION', () => open('a')).path).toBe(directory);
    });
  }
});

/** What another user gets: a value, or an error. */
interface Outcome {
  value?: unknown;
  code?: string;
  path?: string;
  message?: string;
}

const index = new URL('../../src/index.ts', import.meta.url);

/** Root may do everything; and the sources may lie where only their owner may enter. */
const canBeNobody =
  isRoot &&
  spawnSync(process.execPath, ['--eval', `fs.accessSync(${JSON.stringify(index.pathname)})`], {
    uid: NOBODY,
    gid: NOBODY,
  }).status === 0;

describe.runIf(canBeNobody)('another user', () => {
  const parent = canBeNobody ? mkdtempSync('/dev/shm/vitrine-unit-') : '';
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  /** The stores are made in advance: one process of that user looks at all of them. */
  const questions: { side: 'writer' | 'reader'; location: string }[] = [];
  const ask = (side: 'writer' | 'reader', directoryMode: number, options?: WriterOptions): number => {
    const location = join(parent, String(questions.length), 'store');
    mkdirSync(dirname(location));
    chmodSync(dirname(location), directoryMode);
    if (options !== undefined) {
      using writer = openWriter(location, options);
      writer.publish('a');
    }
    return questions.push({ side, location }) - 1;
  };

  let outcomes: Outcome[] = [];
  beforeAll(() => {
    chmodSync(parent, 0o755);
    const script = `
      const { openReader, openWriter } = await import(${JSON.stringify(index.href)});
      const outcomes = ${JSON.stringify(questions)}.map(({ side, location }) => {
        try {
          return { value: side === 'writer' ? openWriter(location).publish(1) : openReader(location).current() };
        } catch ({ name, code, path, message }) {
          return { code: name === 'StoreError' ? code : name, path, message };
        }
      });
      console.log(JSON.stringify(outcomes));`;
    const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
      encoding: 'utf8',
      uid: NOBODY,
      gid: NOBODY,
    });
    expect(child.stderr).toBe('');
    outcomes = JSON.parse(child.stdout) as Outcome[];
  });
  const expectOutcome = (question: number, outcome: Outcome) =>
    expect(outcomes[question]).toMatchObject(outcome);
  const prefix = (question: number) => join(parent, String(question), 'store');

  if (!canBeNobody) return;
  const privateRead = ask('reader', 0o755, {});
  const privateWrite = ask('writer', 0o755, {});
  it('gets PERMISSION, with the file, for a private store', () => {
    expectOutcome(privateRead, { code: 'PERMISSION', path: `${prefix(privateRead)}_state` });
    expectOutcome(privateWrite, { code: 'PERMISSION', path: `${prefix(privateWrite)}_lock` });
    expect(read(prefix(privateRead)).current()).toBe('a');
  });

  const readOnly = ask('reader', 0o755, { mode: 0o644 });
  it('is told what would let him read', () => {
    expectOutcome(readOnly, { code: 'PERMISSION', path: `${prefix(readOnly)}_state` });
    expect(outcomes[readOnly]?.message).toContain('`reuse: false`');
  });

  const unpinned = ask('reader', 0o755, { mode: 0o644, reuse: false });
  it('reads without write permission where the store says reuse: false', () => {
    expectOutcome(unpinned, { value: 'a' });
  });

  const shared = ask('reader', 0o755, { mode: 0o666 });
  it('reads with write permission where the store is shared', () => {
    expectOutcome(shared, { value: 'a' });
  });

  const closedRegion = ask('reader', 0o755, { mode: 0o644, reuse: false });
  chmodSync(`${prefix(closedRegion)}_data_0`, 0o600);
  it('gets PERMISSION for a region that he may not read', () => {
    expectOutcome(closedRegion, { code: 'PERMISSION', path: `${prefix(closedRegion)}_data_0` });
  });

  const closedDirectories = [0o700, 0o755, 0o733].map((mode) => ask('writer', mode));
  const closedRead = ask('reader', 0o700, { mode: 0o666 });
  it('gets PERMISSION for a directory that he may not enter, write to or list', () => {
    for (const question of [...closedDirectories, closedRead]) {
      expectOutcome(question, { code: 'PERMISSION' });
      expect(outcomes[question]?.path).toContain(dirname(prefix(question)));
    }
    for (const question of closedDirectories) expect(existsSync(`${prefix(question)}_state`)).toBe(false);
  });
});
