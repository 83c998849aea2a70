// The real handshake with real threads: a writer that publishes flat out, in place, by replacement and after
// giving regions back, and readers that adopt, hold, compare every word, and let go. Made for ThreadSanitizer
// and for AddressSanitizer with UndefinedBehaviorSanitizer (stress.test.ts).
//
// Payload and header are read and written by plain loads and stores on purpose. The words of the state region
// are then all that orders them, so that a report of ThreadSanitizer is a flaw of the handshake, and a run
// without one shows for each pair of accesses that met in it: the writer's stores happen before the version
// word through which a reader found them, and a reader's last look happens before the count of 0 upon which
// the writer writes again. It shows nothing about interleavings that did not occur (explorer.cc goes through
// all of them), and TSan sees one process: mapped files stand here as blocks of memory, and paths as pointers
// under a mutex, which orders no more than the kernel does.
//
// Threads give up their turn at random where another's step would hurt if the handshake were wrong: on a
// machine with more threads than processors they would hardly ever lose it there.
//
//     stress [publishes=200000] [adoptions=2000] [readers=3] [seed=1]
//     [mutant=countIgnored|versionNotRechecked]
//
// It publishes at least so often, and on until each reader has adopted at least so often.
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "../../native/handshake.hpp"

namespace {

using namespace vitrine;

constexpr unsigned kSlots = 4;
constexpr std::size_t kWords = 256;
constexpr unsigned kTryLimit = 100'000;

// Controls: a program that cannot fail shows nothing either.
struct CountIgnored : ProcessAtomics {
  template <Label L>
  static std::uint64_t load(const std::uint64_t& word) {
    const std::uint64_t value = ProcessAtomics::load<L>(word);
    return L == Label::W1 ? value & ~SlotWord::kCountMask : value;
  }
};
struct VersionNotRechecked : ProcessAtomics {
  static inline thread_local std::uint64_t seen;
  template <Label L>
  static std::uint64_t load(const std::uint64_t& word) {
    if (L == Label::R5) return seen;
    const std::uint64_t value = ProcessAtomics::load<L>(word);
    if (L == Label::R2) seen = value;
    return value;
  }
};

struct Region {
  explicit Region(std::uint64_t incarnation) : incarnation(incarnation) {}
  const std::uint64_t incarnation;
  std::uint64_t number = 0;
  std::uint64_t checksum = 0;
  std::array<std::uint64_t, kWords> payload{};
};

// What the file system is to a store.
struct Directory {
  std::mutex mutex;
  std::array<std::shared_ptr<Region>, kSlots> path;

  std::shared_ptr<Region> open(unsigned slot) {
    const std::lock_guard guard(mutex);
    return path[slot];
  }
  void rename(unsigned slot, std::shared_ptr<Region> region) {
    const std::lock_guard guard(mutex);
    path[slot].swap(region);
  }
};

std::uint64_t mix(std::uint64_t value) {
  value *= 0x9e3779b97f4a7c15;
  return value ^ value >> 29;
}
std::uint64_t wordOf(std::uint64_t number, std::size_t index) { return mix(number << 16 | index); }

// xorshift64: a run's choices can be repeated, its interleaving cannot.
struct Dice {
  std::uint64_t state;
  unsigned roll(unsigned sides) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<unsigned>(state >> 33) % sides;
  }
};

thread_local Dice turns{1};
void mayLoseTurn(unsigned oneIn) {
  if (turns.roll(oneIn) == 0) std::this_thread::yield();
}

struct Bounds {
  std::uint64_t publishes = 200'000, adoptions = 2000, readers = 3, seed = 1;
};

struct Shared {
  StateRegion* state = nullptr;
  Directory directory;
  std::atomic<bool> isOver = false;
  std::atomic<std::uint64_t> newest = 0;
  std::vector<std::unique_ptr<std::atomic<std::uint64_t>>> adoptions;
};

[[noreturn]] void fail(const char* why, std::uint64_t number) {
  std::fprintf(stderr, "stress: %s (version %llu)\n", why, static_cast<unsigned long long>(number));
  std::_Exit(1);
}

void encode(Region& region, std::uint64_t number) {
  region.number = 0;
  mayLoseTurn(64);
  for (std::size_t index = 0; index < kWords; ++index) region.payload[index] = wordOf(number, index);
  mayLoseTurn(64);
  region.checksum = mix(number);
  region.number = number;
}

struct Totals {
  std::uint64_t rewrites = 0, replacements = 0, vacated = 0, adoptions = 0, held = 0;
};

template <class Atomics>
void write(Shared& shared, const Bounds& bounds, Totals& totals) {
  Handshake<Atomics> handshake(*shared.state, true);
  std::array<std::shared_ptr<Region>, kSlots> regions;
  turns.state = mix(bounds.seed + 1);
  Dice dice{mix(bounds.seed)};
  unsigned active = kSlots;
  std::uint64_t number = 0;
  const auto isWatched = [&] {
    for (const auto& adoptions : shared.adoptions) {
      if (adoptions->load(std::memory_order_relaxed) < bounds.adoptions) return false;
    }
    return true;
  };
  while (number < bounds.publishes || !isWatched()) {
    const unsigned slot = dice.roll(kSlots);
    if (slot == active) continue;
    if (regions[slot] && dice.roll(64) == 0) {
      handshake.vacate(slot, regions[slot]->incarnation);
      shared.directory.rename(slot, nullptr);
      regions[slot].reset();
      ++totals.vacated;
      continue;
    }
    ++number;
    const bool isInPlace =
        regions[slot] && dice.roll(8) != 0 && handshake.mayRewrite(slot, regions[slot]->incarnation);
    if (isInPlace) {
      encode(*regions[slot], number);
      ++totals.rewrites;
    } else {
      const std::uint64_t before = regions[slot] ? regions[slot]->incarnation : 0;
      auto fresh = std::make_shared<Region>(handshake.nextIncarnation(slot, before));
      encode(*fresh, number);
      shared.directory.rename(slot, fresh);
      handshake.install(slot, fresh->incarnation);
      regions[slot] = std::move(fresh);
      ++totals.replacements;
    }
    handshake.announce(VersionWord(slot, kWords * 8, regions[slot]->checksum));
    active = slot;
  }
  shared.newest.store(number);
  shared.isOver.store(true);
}

template <class Atomics>
void read(Shared& shared, unsigned index, Totals& totals) {
  struct Regions {
    Directory& directory;
    std::array<std::shared_ptr<Region>, kSlots> mapped;
    bool has(unsigned slot, std::uint64_t incarnation) const {
      mayLoseTurn(16);
      return slot < kSlots && mapped[slot] && mapped[slot]->incarnation == incarnation;
    }
    void map(unsigned slot) { mapped[slot] = directory.open(slot); }
    void forget(unsigned slot) { mapped[slot].reset(); }
  };
  struct Held {
    std::shared_ptr<Region> region;
    unsigned slot = 0;
    std::uint64_t incarnation = 0, number = 0;
  };
  Handshake<Atomics> handshake(*shared.state, true);
  Regions regions{shared.directory, {}};
  std::vector<Held> held;
  turns.state = mix(index + 500);
  Dice dice{mix(index + 1000)};
  std::uint64_t seen = ~std::uint64_t{0}, last = 0;

  const auto ensureWhole = [](const Held& one) {
    if (one.region->number != one.number) fail("a header changed under a reader", one.number);
    for (std::size_t word = 0; word < kWords; ++word) {
      if (one.region->payload[word] != wordOf(one.number, word)) fail("torn", one.number);
    }
  };
  const auto letGo = [&](std::size_t which) {
    ensureWhole(held[which]);
    handshake.unpin(held[which].slot, held[which].incarnation);
    held[which] = std::move(held.back());
    held.pop_back();
  };

  for (bool isOver = false; !isOver;) {
    // In this order: what was over when we looked has been announced before.
    isOver = shared.isOver.load();
    // The fast path of JavaScript is a plain load.
    if (std::atomic_ref(shared.state->sequence.value).load(std::memory_order_relaxed) == seen) {
      if (isOver && last != shared.newest.load()) fail("missed for ever", last);
      std::this_thread::yield();
      continue;
    }
    const Adoption adoption = handshake.adopt(regions, kTryLimit);
    if (adoption.outcome == Adopt::nothing) {
      isOver = false;
      continue;
    }
    if (adoption.outcome != Adopt::adopted) fail("adoption failed", last);
    const unsigned slot = adoption.version.slot();
    Held one{regions.mapped[slot], slot, adoption.incarnation, regions.mapped[slot]->number};
    RegionHeader header{};
    header.payloadByteLength = kWords * 8;
    header.checksum = one.region->checksum;
    if (!adoption.version.agreesWith(header)) fail("adopted a region that is not the version's", one.number);
    if (one.number < last) fail("went back", one.number);
    last = one.number;
    seen = adoption.sequence;
    held.push_back(std::move(one));
    mayLoseTurn(4);
    ensureWhole(held.back());
    ++totals.adoptions;
    shared.adoptions[index]->fetch_add(1, std::memory_order_relaxed);
    // Most are let go at once; some outlive several publishes.
    if (dice.roll(4) != 0) {
      letGo(held.size() - 1);
    } else {
      ++totals.held;
    }
    while (held.size() > 3) letGo(dice.roll(static_cast<unsigned>(held.size())));
    if (isOver) isOver = last == shared.newest.load();
  }
  while (!held.empty()) letGo(0);
}

template <class Atomics>
int run(const Bounds& bounds) {
  const auto readers = static_cast<unsigned>(bounds.readers);
  Shared shared;
  void* const address =
      ::mmap(nullptr, kStateByteLength, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return 2;
  // SAFETY: page-aligned, zero-filled and as long as a StateRegion, an implicit-lifetime aggregate of
  // integers.
  shared.state = static_cast<StateRegion*>(address);

  for (unsigned index = 0; index < readers; ++index) {
    shared.adoptions.push_back(std::make_unique<std::atomic<std::uint64_t>>(0));
  }
  std::vector<Totals> totals(readers + 1);
  std::vector<std::thread> threads;
  for (unsigned index = 0; index < readers; ++index) {
    threads.emplace_back([&, index] { read<Atomics>(shared, index, totals[index]); });
  }
  write<Atomics>(shared, bounds, totals[readers]);
  for (std::thread& thread : threads) thread.join();

  const Handshake<ProcessAtomics> handshake(*shared.state, true);
  for (unsigned slot = 0; slot < kSlots; ++slot) {
    if (handshake.slotWord(slot).count() != 0) fail("a count was left behind", slot);
  }
  Totals sum = totals[readers];
  for (unsigned index = 0; index < readers; ++index) {
    sum.adoptions += totals[index].adoptions;
    sum.held += totals[index].held;
  }
  const auto shown = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "{\"publishes\":%llu,\"rewrites\":%llu,\"replacements\":%llu,\"vacated\":%llu,\"adoptions\":%llu,"
      "\"held\":%llu}\n",
      shown(shared.newest.load()), shown(sum.rewrites), shown(sum.replacements), shown(sum.vacated),
      shown(sum.adoptions), shown(sum.held));
  ::munmap(address, kStateByteLength);
  return 0;
}

}  // namespace

int main(int argumentCount, char** arguments) {
  Bounds bounds;
  std::string_view mutant;
  for (int i = 1; i < argumentCount; ++i) {
    const std::string_view argument = arguments[i];
    const auto take = [&](std::string_view name, std::uint64_t& field) {
      if (!argument.starts_with(name)) return false;
      field = std::strtoull(arguments[i] + name.size(), nullptr, 10);
      return true;
    };
    if (take("publishes=", bounds.publishes) || take("adoptions=", bounds.adoptions) ||
        take("readers=", bounds.readers) || take("seed=", bounds.seed)) {
      continue;
    }
    if (!argument.starts_with("mutant=")) return 2;
    mutant = argument.substr(7);
  }
  if (mutant == "countIgnored") return run<CountIgnored>(bounds);
  if (mutant == "versionNotRechecked") return run<VersionNotRechecked>(bounds);
  return mutant.empty() ? run<ProcessAtomics>(bounds) : 2;
}
