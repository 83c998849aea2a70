import { lstatSync, mkdirSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { StoreError } from '../errors.ts';
import { calling, native } from './native.ts';

/** Where the files of a store are: `<prefix>_lock`, `<prefix>_state`, `<prefix>_data_<slot>`. */
export interface Location {
  /** As the user gave it. */
  readonly given: string;
  /** Absolute. */
  readonly prefix: string;
  readonly directory: string;
  /** Whether it was a bare name, for which the private directory is made when missing. */
  readonly isBare: boolean;
}

/** Room for the longest suffix below the 255 bytes of a file name. */
const NAME_BYTE_LIMIT = 200;

/**
 * File systems where mappings of one file share its pages, names are atomic, and rewriting allocated bytes needs no space
 * (on btrfs it does: copy on write, and a full disk would be a SIGBUS), by statfs magic.
 */
const KNOWN_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  // Files created there; a file of a lower layer is copied when it is written, and who had it open keeps the old one.
  [0x794c7630, 'overlay'],
]);

/**
 * Where a location's files are. Touches nothing.
 *
 * @throws {StoreError} `LOCATION_INVALID`
 */
export function resolveLocation(given: string): Location {
  const refuse = (why: string) =>
    new StoreError('LOCATION_INVALID', `location ${JSON.stringify(given)} ${why}`, { field: 'location' });
  if (typeof given !== 'string') {
    throw new StoreError(
      'LOCATION_INVALID',
      `a location must be a string, not ${typeof given}: a bare name, or a path that ends in one`,
      {
        field: 'location',
      },
    );
  }
  if (given.includes('\0')) throw refuse('has a NUL byte: no file name can have one');
  const segments = given.split('/');
  if (segments.includes('..')) throw refuse('has a `..` segment: resolve the path before');
  const name = segments.at(-1) ?? '';
  if (name === '' || name === '.') throw refuse('has no name: give a bare name, or a path that ends in one');
  if (Buffer.byteLength(name) > NAME_BYTE_LIMIT)
    throw refuse(`has a name of more than ${NAME_BYTE_LIMIT} bytes: choose a shorter one`);
  const isBare = segments.length === 1;
  const prefix = isBare ? join(privateDirectory(), name) : resolve(given);
  return { given, prefix, directory: dirname(prefix), isBare };
}

/**
 * The directory of bare names: of this user alone, in memory. `/run/user/<uid>` is preferred to /dev/shm because
 * systemd's RemoveIPC deletes a user's files in the latter when he logs out.
 */
function privateDirectory(): string {
  const { VITRINE_DIRECTORY: chosen, XDG_RUNTIME_DIR: runtime } = process.env;
  if (chosen) return resolve(chosen);
  // The XDG specification: a path that is not absolute is to be ignored.
  return runtime && isAbsolute(runtime)
    ? join(runtime, 'vitrine')
    : `/dev/shm/vitrine-${process.getuid?.() ?? 0}`;
}

/**
 * Makes sure that the directory can hold a store; makes the private one if it is missing.
 *
 * @throws {StoreError} `LOCATION_INVALID`, `PERMISSION`, `FILE_SYSTEM_UNSUPPORTED`
 */
export function prepareDirectory(location: Location): void {
  const { directory, isBare } = location;
  if (isBare) {
    try {
      mkdirSync(directory, { mode: 0o700 });
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code !== 'EEXIST') {
        throw new StoreError(
          code === 'EACCES' || code === 'EPERM' || code === 'EROFS' ? 'PERMISSION' : 'LOCATION_INVALID',
          `the directory of bare names, ${directory}, cannot be made (${code}): set VITRINE_DIRECTORY, or give a path`,
          { cause, path: directory, ...(code === undefined ? {} : { errno: code }) },
        );
      }
    }
  }
  checkDirectory(location);
}

/**
 * Whether the directory is there and fit to hold a store.
 *
 * @throws {StoreError} `LOCATION_INVALID`, `PERMISSION`, `FILE_SYSTEM_UNSUPPORTED`
 */
export function checkDirectory(location: Location): boolean {
  const { directory, isBare } = location;
  const stat = isBare ? lstatSync : statSync;
  const stats = calling(() => stat(directory, { throwIfNoEntry: false }));
  if (stats === undefined) return false;
  // Anybody can make a directory in /dev/shm and wait for us there.
  if (isBare && (!stats.isDirectory() || stats.uid !== process.getuid?.() || (stats.mode & 0o022) !== 0)) {
    throw new StoreError(
      'PERMISSION',
      `${directory} must be a directory that only its owner, this user, can write to: remove it, or set VITRINE_DIRECTORY`,
      { path: directory },
    );
  }
  if (!stats.isDirectory()) {
    throw new StoreError(
      'LOCATION_INVALID',
      `${directory} is not a directory, so that it cannot hold a store: choose another location`,
      { path: directory },
    );
  }
  const magic = calling(() => native.fileSystemOf(directory));
  if (!KNOWN_FILE_SYSTEMS.has(magic)) {
    throw new StoreError(
      'FILE_SYSTEM_UNSUPPORTED',
      `${directory} lies on a file system (statfs magic 0x${magic.toString(16)}) where shared mappings are not known to ` +
        `work: choose one of ${[...KNOWN_FILE_SYSTEMS.values()].join(', ')}`,
      { path: directory },
    );
  }
  return true;
}

/** Removes the files of this store whose name, after the prefix, passes the test. The caller holds the writer's lock. */
export function removeFiles(location: Location, passes: (suffix: string) => boolean): void {
  const name = basename(location.prefix);
  for (const entry of calling(() => readdirSync(location.directory))) {
    if (!entry.startsWith(name) || !passes(entry.slice(name.length))) continue;
    try {
      calling(() => unlinkSync(join(location.directory, entry)));
    } catch (error) {
      // Somebody cleans up beside us, or it is a directory: either way it is in nobody's way here.
      if (!['ENOENT', 'EISDIR', 'EPERM'].includes((error as StoreError).errno ?? '')) throw error;
    }
  }
}

export const isTemporary = (suffix: string): boolean => /^_(?:data|state)_tmp_\d+(?:_\d+)?$/.test(suffix);
export const isRegion = (suffix: string): boolean => /^_data_\d+$/.test(suffix);
