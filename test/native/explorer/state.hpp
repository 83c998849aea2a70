// The simulated machine: the words of a state region, files and paths, what every process has in its memory,
// and what only the checker knows. Plain bytes: a state is copied and hashed as a whole.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>

#include "../../../native/handshake.hpp"

namespace vitrine::explorer {

inline constexpr unsigned kSlots = 3;
inline constexpr unsigned kStores = 2;    // one that is destroyed or swept away, and its successor
inline constexpr unsigned kFiles = 16;    // file 0 is no file
inline constexpr unsigned kNumbers = 16;  // publish numbers
inline constexpr unsigned kActors = 4;
inline constexpr unsigned kLogLimit = 96;
inline constexpr std::uint8_t kNever = 255;
inline constexpr std::uint8_t kNoSlot = 255;

// What to explore. Counts are budgets of a whole run.
struct Bounds {
  unsigned readers = 1;
  unsigned waiters = 0;
  unsigned slots = 2;
  unsigned publishes = 3;
  unsigned crashes = 0;
  unsigned vacates = 0;
  unsigned aborts = 0;
  unsigned destroys = 0;
  unsigned sweeps = 0;  // somebody deletes the files of a store whose writer has died
  // Of one call of adopt(). The reader calls again, so that 1 loses no run and keeps the logs short.
  unsigned tries = 1;
  unsigned holds = 1;  // 0: readers copy out and let go at once
  bool warm = false;   // begins with two versions published, so that there is a region to rewrite
  // Lets adopt() see the counts that it has no use for: the same runs in many more states.
  bool counts = false;
  bool reuse = true;
  bool collide = false;  // every version of a slot has the same version word
};

// A process's next step: a labelled access of handshake.hpp, or one of the steps around it.
// clang-format off
enum class At : std::uint8_t {
  D1, R1, R2, R3, R4, R5, R6, T1, U1, U2, W1, W2, W3, W4, W5, W6, W7, W8,  // as Label
  rest, choice, ghost,
  claim, payload0, payload1, checksum, number, rename, unlink, block, wake,
  openState, linkState, unlinkState, sweep,
  mapRegion, raise, sleep,
};

inline constexpr const char* kNames[] = {
    "D1", "R1", "R2", "R3", "R4", "R5", "R6", "T1", "U1", "U2", "W1", "W2", "W3", "W4", "W5", "W6", "W7",
    "W8", "rest", "choice", "ghost",
    "publish number := 0", "payload[0]", "payload[1]", "header's checksum", "publish number", "rename",
    "unlink", "writer block", "wake",
    "open state", "link state", "unlink state", "sweep",
    "map region", "raise the flag", "futex wait",
};
// clang-format on

inline constexpr At at(Label label) { return static_cast<At>(label); }
static_assert(at(Label::W8) == At::W8);

inline const char* nameOf(At at) { return kNames[static_cast<unsigned>(at)]; }
static_assert(std::size(kNames) == static_cast<unsigned>(At::sleep) + 1);

struct Words {
  std::uint64_t version, sequence, waiters;
  std::array<std::uint64_t, kSlots> slots;
};

// A region: identity, and contents that are rewritten in place word by word.
struct File {
  std::uint8_t store, slot, incarnation;
  std::uint8_t number, checksum;
  std::array<std::uint8_t, 2> payload;
  std::uint8_t unused;
};

struct World {
  std::array<Words, kStores + 1> words;  // store 0 is no store
  std::array<File, kFiles> files;
  std::array<std::uint8_t, kSlots> path;              // what <prefix>_data_<slot> leads to
  std::uint8_t statePath;                             // what <prefix>_state leads to
  std::array<std::uint8_t, kStores + 1> blockNumber;  // the writer block's publish number
  std::uint8_t stores;                                // created so far

  // Left of the budgets.
  std::uint8_t publishes, crashes, vacates, aborts, destroys, sweeps;
  std::uint8_t attempts;  // payloads made: no two are equal

  // Ghosts: no process decides by them.
  std::array<std::uint8_t, kStores + 1> newest;     // the newest publish number
  std::array<std::uint8_t, kStores + 1> announced;  // 0 from W3 to the end of the announcement
  std::array<std::array<std::uint8_t, kNumbers>, kStores + 1> published;  // number -> payload
  std::uint8_t unused;
  std::array<std::array<std::uint16_t, kSlots>, kStores + 1>
      named;  // incarnations that have had a name, bitwise
};

struct Mapped {
  std::uint8_t file, incarnation;
};

// What a reader has been counted in on, and whether it relies on the bytes.
struct Pin {
  std::uint8_t store, slot, incarnation, unused;
};
struct Holding {
  std::uint8_t file, number, store, slot, incarnation;
};

// A process's memory: what outlives an operation, and notes of mutants.
struct Local {
  // everybody
  std::uint8_t store;
  // the writer
  std::uint8_t isTakingOver, active, publishNumber, hasCrashed, early;
  std::uint8_t draftNumber, draftPayload;
  // a reader
  std::uint8_t remembered, have, unused;
  // a waiter
  std::uint8_t asleep;
  std::array<Mapped, kSlots> regions;  // the writer's and a reader's
  std::array<Pin, 3> pins;             // ghost: what R4 counted in and U2 has not counted out
  Holding held, candidate;
  // What a mutant remembers within an operation.
  std::uint64_t versionSeen, wordSeen, pinnedEarly, versionDelayed;
};

struct Pending {
  At at = At::rest;
  std::uint8_t isPrivate = 0;  // no other process can notice, or make a difference
  std::uint8_t options = 1;
};

enum class Kind : std::uint8_t { writer, reader, waiter };

struct Actor {
  Kind kind;
  Pending pending;
  std::uint8_t logLength;
  Local base;  // when the operation began
  Local now;   // base, after the accesses in the log
  std::array<At, kLogLimit> ats;
  std::array<std::uint64_t, kLogLimit> log;

  Actor() = default;
  Actor(const Actor& other) { *this = other; }
  // Most of a log is unused.
  Actor& operator=(const Actor& other) {
    kind = other.kind;
    pending = other.pending;
    logLength = other.logLength;
    base = other.base;
    now = other.now;
    std::memcpy(ats.data(), other.ats.data(), logLength * sizeof(At));
    std::memcpy(log.data(), other.log.data(), logLength * sizeof(std::uint64_t));
    return *this;
  }
};

static_assert(std::has_unique_object_representations_v<World> &&
                  std::has_unique_object_representations_v<Local>,
              "padding would be hashed");

struct State {
  World world;
  std::uint8_t actorCount;
  std::array<Actor, kActors> actors;
};

}  // namespace vitrine::explorer
