import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = readFileSync(join(root, 'src/errors.ts'), 'utf8');
const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');

const union = source.split('export type StoreErrorCode =')[1]?.split(';')[0] ?? '';
const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code!);
const details = source.split('interface StoreErrorDetails {')[1]?.split('\n}')[0] ?? '';
const fields = [...details.matchAll(/readonly (\w+)\?/g)].map(([, field]) => field!);
const sections = page.split(/^## /m).slice(1);

describe('docs/errors.md', () => {
  it('has a heading for each code of the union, and no other', () => {
    expect(codes.length).toBeGreaterThan(20);
    expect(sections.map((section) => section.split('\n')[0])).toEqual([...codes].sort());
  });

  it('says of each when it happens, what to do, and which fields it has', () => {
    for (const section of sections) {
      const [, when, what, named] =
        /\n\n\*\*When\.\*\* (\S.+)\n\n\*\*What to do\.\*\* (\S.+)\n\n\*\*Fields\.\*\* (\S.+)\.\n/.exec(
          section,
        ) ?? [];
      expect([when, what, named], section).not.toContain(undefined);
      const names = [...named!.matchAll(/`(\w+)`/g)].map(([, field]) => field!);
      if (names.length === 0) expect(named).toBe('none');
      for (const name of names) expect(fields, section).toContain(name);
    }
  });

  it('explains each field', () => {
    for (const field of fields) expect(page).toMatch(new RegExp(`^\\|.*\`${field}\`.*\\|`, 'm'));
  });

  it('knows no code that nothing throws', () => {
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
    const sources = files
      .filter((name) => name.endsWith('.ts') && name !== 'errors.ts')
      .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
      .join('\n');
    for (const code of codes)
      expect(sources, code).toMatch(new RegExp(`(?:StoreError\\(\\s*|[?:] )'${code}'`));
  });
});
