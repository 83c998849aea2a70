import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { xxh3 } from '@node-rs/xxhash';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const MIB = 1024 * 1024;

interface Part {
  readonly offset: number;
  readonly byteLength: number;
}

/** A fixed pseudo-random sequence (xorshift32), so that a failure can be repeated. */
function noise(byteLength: number): Buffer {
  const words = new Uint32Array(Math.ceil(byteLength / 4));
  let state = 0x9e3779b9;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return Buffer.from(words.buffer, 0, byteLength);
}

/** Carries and sign bits show with all ones, forgotten secrets and lengths with all zeros. */
const contents = {
  noise: noise(6 * MIB),
  zeros: Buffer.alloc(6 * MIB),
  ones: Buffer.alloc(6 * MIB, 0xff),
};

const everyLengthTo1100: Part[] = Array.from({ length: 1101 }, (_, byteLength) => ({
  offset: byteLength % 67,
  byteLength,
}));

/** A stripe is 64 bytes and a block 1024: the cut changes around their multiples. */
const larger: Part[] = [2, 3, 4, 16, 64, 1023, 1024, 5 * 1024]
  .flatMap((blocks) => [-65, -64, -63, -1, 0, 1, 63, 64, 65, 517].map((extra) => blocks * 1024 + extra))
  .flatMap((byteLength) => [0, 1, 7, 32, 63].map((offset) => ({ offset, byteLength })));

const parts = [...everyLengthTo1100, ...larger];

describe('the native checksum', () => {
  let directory: string;
  let program: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'vitrine-checksum-'));
    program = join(directory, 'checksum');
    const [compiler = 'g++', ...compilerArguments] = (process.env['CXX'] ?? 'g++').split(' ');
    execFileSync(
      compiler,
      [
        ...compilerArguments,
        ...['-std=c++20', '-O2', '-Wall', '-Wextra', '-Werror', '-fvisibility=hidden', '-fno-exceptions'],
        ...['-o', program, 'test/native/checksum.cc', 'native/checksum.cc'],
      ],
      { cwd: root },
    );
    for (const [name, content] of Object.entries(contents)) writeFileSync(join(directory, name), content);
  });

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  const run = (args: string[], input = ''): string[] =>
    execFileSync(program, args, { input, encoding: 'utf8' }).trimEnd().split('\n');

  const native = (kernel: string, content: string): string[] =>
    run(
      ['hash', kernel, join(directory, content)],
      parts.map(({ offset, byteLength }) => `${offset} ${byteLength}\n`).join(''),
    );

  /** One line a part, so that a difference names the length. */
  const labelled = (hashes: string[]): string[] =>
    parts.map(({ offset, byteLength }, i) => `${byteLength} bytes at ${offset}: ${hashes[i]}`);

  it('offers the portable kernel everywhere, and the vector kernels of x86-64', (context) => {
    const kernels = run(['kernels']);
    expect(kernels[0]).toBe('portable');
    if (process.arch !== 'x64') context.skip();
    expect(kernels[1]).toBe('sse2');
    expect(['avx2', undefined]).toContain(kernels[2]);
  });

  for (const kernel of ['default', 'portable', 'sse2', 'avx2']) {
    for (const [name, content] of Object.entries(contents)) {
      it(`is XXH3-64 for ${name} with the ${kernel} kernel, and reads no byte outside`, (context) => {
        if (kernel !== 'default' && !run(['kernels']).includes(kernel)) context.skip();
        const expected = parts.map(({ offset, byteLength }) =>
          xxh3
            .xxh64(content.subarray(offset, offset + byteLength))
            .toString(16)
            .padStart(16, '0'),
        );
        expect(labelled(native(kernel, name))).toEqual(labelled(expected));
      });
    }
  }
});
