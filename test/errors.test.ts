import { describe, expect, it } from 'vitest';
import { StoreError } from '../src/index.ts';
import { failure, write } from './support/place.ts';

describe('a StoreError', () => {
  it('is an Error with a code, and with the fields that apply and no others', () => {
    const cause = new Error('below');
    const error = new StoreError('NO_SPACE', 'no space', { cause, path: '/a', askedByteLength: 5 });
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe('StoreError: no space');
    expect([error.code, error.path, error.askedByteLength, error.cause]).toEqual([
      'NO_SPACE',
      '/a',
      5,
      cause,
    ]);
    expect(Object.keys(error).sort()).toEqual(['askedByteLength', 'code', 'name', 'path']);
    expect('cause' in new StoreError('CLOSED', 'closed')).toBe(false);
    expect(error.stack).toContain('errors.test');
  });

  it('has the system call and the error below it', () => {
    const error = failure('LOCATION_INVALID', () => write('/dev/shm/vitrine-missing/a'));
    expect(error).toMatchObject({
      syscall: 'open',
      errno: 'ENOENT',
      path: '/dev/shm/vitrine-missing/a_lock',
    });
    expect(error.cause).toBeInstanceOf(Error);
  });

  it('comes through a structured clone as an Error with its message', () => {
    const error = failure('STATE_INVALID', () => {
      throw new StoreError('STATE_INVALID', 'not a state region: remove it');
    });
    expect(structuredClone(error).message).toBe(error.message);
  });
});
