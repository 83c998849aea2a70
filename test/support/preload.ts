import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Compiles a small C library into the directory; give its path to a child as `LD_PRELOAD`. */
export function compilePreload(directory: string, source: string): string {
  const sourcePath = join(directory, 'preload.c');
  const libraryPath = join(directory, 'preload.so');
  writeFileSync(sourcePath, source);
  const [compiler = 'cc', ...rest] = (process.env['CC'] ?? 'cc').split(' ');
  execFileSync(compiler, [...rest, '-shared', '-fPIC', '-O1', '-o', libraryPath, sourcePath, '-ldl']);
  return libraryPath;
}

/** Every page of the process, present and future, is locked in memory, as a process with real-time needs does it. */
export const LOCK_ALL_MEMORY = `
#include <sys/mman.h>
__attribute__((constructor)) static void lockAll(void) { mlockall(MCL_CURRENT | MCL_FUTURE); }
`;

/**
 * Ends the process with SIGKILL right before its Nth system call on a store's files (VITRINE_TEST_DIE_AT=N), which are
 * those below the directory VITRINE_TEST_PLACE. Says each step on the descriptor of standard error.
 */
export const DIE_AT_STEP = `
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int taken;

static void step(const char* call, const char* path) {
  const char* place = getenv("VITRINE_TEST_PLACE");
  if (place == NULL || (path != NULL && strncmp(path, place, strlen(place)) != 0)) return;
  taken += 1;
  dprintf(2, "step %d: %s %s\\n", taken, call, path == NULL ? "" : path + strlen(place));
  const char* at = getenv("VITRINE_TEST_DIE_AT");
  if (at != NULL && atoi(at) == taken) kill(getpid(), SIGKILL);
}

#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, name))

int rename(const char* from, const char* to) {
  step("rename", to);
  return NEXT("rename", int (*)(const char*, const char*))(from, to);
}
int link(const char* from, const char* to) {
  step("link", to);
  return NEXT("link", int (*)(const char*, const char*))(from, to);
}
int unlink(const char* path) {
  step("unlink", path);
  return NEXT("unlink", int (*)(const char*))(path);
}
#define OPEN(name)                                                   \\
  int name(const char* path, int flags, ...) {                       \\
    va_list list;                                                    \\
    va_start(list, flags);                                           \\
    mode_t mode = va_arg(list, mode_t);                              \\
    va_end(list);                                                    \\
    if (flags & O_CREAT) step("create", path);                       \\
    return NEXT(#name, int (*)(const char*, int, ...))(path, flags, mode); \\
  }
OPEN(open)
OPEN(open64)
#define ALLOCATE(name)                                               \\
  int name(int fd, off_t offset, off_t length) {                     \\
    step("allocate", NULL);                                          \\
    return NEXT(#name, int (*)(int, off_t, off_t))(fd, offset, length); \\
  }
ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)
#define WRITE(name)                                                  \\
  ssize_t name(int fd, const void* bytes, size_t length, off_t offset) { \\
    if (length == 4096) step("write", NULL);                         \\
    return NEXT(#name, ssize_t (*)(int, const void*, size_t, off_t))(fd, bytes, length, offset); \\
  }
WRITE(pwrite)
WRITE(pwrite64)
`;
