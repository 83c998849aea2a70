// Depth-first search through every state that the processes can reach, each visited once.
//
// A killed or stopped reader is one that takes no further step. Every state is checked, with all
// continuations of the others, so a reader's death needs no step of its own. A writer's death has one, for a
// successor follows.
//
// Readers are alike, so states that differ in who is who are one state.
//
// Where the writer's next step is private (no other process can notice it or make a difference to it), the
// others need not go first: what they do now they can do after it, with the same effect. Its death is still
// tried there.
//
// States are compared by 128 bits of hash: the probability that two different ones among 100 million are
// taken for one is 10^-23.
#pragma once

#include <algorithm>
#include <compare>
#include <memory>
#include <vector>

#include "processes.hpp"

namespace vitrine::explorer {

struct Hash {
  std::uint64_t low = 0x243f6a8885a308d3, high = 0x13198a2e03707344;

  void add(const void* data, std::size_t byteLength) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (; byteLength >= 8; bytes += 8, byteLength -= 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes, 8);
      add(word);
    }
    std::uint64_t rest = byteLength;
    for (std::size_t i = 0; i < byteLength; ++i) rest = rest << 8 | bytes[i];
    if (byteLength > 0) add(rest);
  }
  void add(std::uint64_t word) {
    low = mix(low ^ word, 0x9e3779b97f4a7c15);
    high = mix(high + word, 0xc2b2ae3d27d4eb4f) ^ low;
  }
  auto operator<=>(const Hash&) const = default;

 private:
  static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    a *= b;
    a ^= a >> 32;
    a *= 0xd6e8feb86659fd93;
    return a ^ a >> 29;
  }
};

class Visited {
 public:
  Visited() : table_(std::size_t{1} << 16) {}
  std::size_t size() const { return size_; }

  bool insert(const Hash& hash) {
    if (2 * (size_ + 1) > table_.size()) grow();
    return place(hash) && ++size_ != 0;
  }

 private:
  bool place(const Hash& hash) {
    for (std::size_t i = hash.low & (table_.size() - 1);; i = (i + 1) & (table_.size() - 1)) {
      if (table_[i] == hash) return false;
      if (table_[i] == Hash{}) {
        table_[i] = hash;
        return true;
      }
    }
  }
  void grow() {
    std::vector<Hash> former(2 * table_.size());
    former.swap(table_);
    for (const Hash& hash : former) {
      if (hash != Hash{}) place(hash);
    }
  }

  std::vector<Hash> table_;  // an empty place holds what nothing was added to
  std::size_t size_ = 0;
};

struct Transition {
  std::uint8_t actor, option;
  bool isCrash;
};

class Search {
 public:
  std::size_t steps = 0, deepest = 0;
  std::size_t states() const { return visited_.size(); }

  explicit Search(Simulation& simulation, std::size_t stateLimit)
      : sim_(simulation), stateLimit_(stateLimit) {}

  // Whether the search was complete; it ends early at a violation.
  bool run(const State& initial) {
    push(initial);
    while (!stack_.empty()) {
      Frame& frame = *stack_.back();
      if (frame.next == frame.count) {
        spare_.push_back(std::move(stack_.back()));
        stack_.pop_back();
        continue;
      }
      const Transition transition = frame.transitions[frame.next++];
      child_ = frame.state;
      ++steps;
      if (!take(child_, transition)) return true;
      if (visited_.insert(hashOf(child_))) {
        if (visited_.size() > stateLimit_) return false;
        push(child_);
      }
    }
    return true;
  }

  // The steps that led to the violation.
  void print() {
    const char* const invariant = sim_.violated;
    const char* const why = sim_.explanation;
    for (const auto& frame : stack_) {
      const Transition transition = frame->transitions[frame->next - 1];
      State copy = frame->state;
      const Actor& actor = frame->state.actors[transition.actor];
      const char* const kinds[] = {"writer", "reader", "waiter"};
      std::printf("  %s %u  ", kinds[static_cast<unsigned>(actor.kind)], transition.actor);
      if (transition.isCrash) {
        std::printf("dies; a successor follows\n");
        continue;
      }
      if (actor.pending.at == At::rest) printOperation(transition.option);
      if (actor.pending.at == At::choice) std::printf("[decides %u] ", transition.option);
      sim_.violated = nullptr;
      take(copy, transition);
      std::printf("%s", nameOf(sim_.lastAt));
      printValue(sim_.lastAt, sim_.lastValue);
    }
    sim_.violated = invariant;
    sim_.explanation = why;
  }

 private:
  struct Frame {
    State state;
    unsigned next = 0, count = 0;
    std::array<Transition, 40> transitions;
  };

  void push(const State& state) {
    if (spare_.empty()) spare_.push_back(std::make_unique<Frame>());
    stack_.push_back(std::move(spare_.back()));
    spare_.pop_back();
    Frame& frame = *stack_.back();
    frame.state = state;
    frame.next = frame.count = 0;
    deepest = std::max(deepest, stack_.size());
    for (unsigned index = 0; index < state.actorCount; ++index) {
      const Actor& actor = state.actors[index];
      const bool isWriter = actor.kind == Kind::writer;
      const auto add = [&](std::uint8_t option, bool isCrash) {
        frame.transitions[frame.count++] = Transition{static_cast<std::uint8_t>(index), option, isCrash};
      };
      if (actor.pending.at == At::rest) {
        const Codes codes = operationsOf(sim_, state, actor);
        for (unsigned i = 0; i < codes.count; ++i) add(codes.codes[i], false);
      } else {
        for (std::uint8_t option = 0; option < actor.pending.options; ++option) add(option, false);
      }
      if (isWriter && state.world.crashes > 0) add(0, true);
      if (isWriter && actor.pending.at != At::choice && actor.pending.isPrivate) return;
    }
  }

  bool take(State& state, const Transition& transition) {
    if (transition.isCrash) {
      Actor& writer = state.actors[transition.actor];
      --state.world.crashes;
      writer.base = Local{};
      writer.base.isTakingOver = writer.base.hasCrashed = 1;
      writer.now = writer.base;
      writer.logLength = 0;
      writer.pending = Pending{};
    } else if (!sim_.step(state, transition.actor, transition.option, operate)) {
      return false;
    }
    forgetFiles(state);
    return check(state);
  }

  // A file that no path and no process leads to is gone.
  void forgetFiles(State& state) const {
    unsigned used = 0;
    const auto useAll = [&](const Local& local) {
      for (const Mapped& region : local.regions) used |= 1u << region.file;
      used |= 1u << local.held.file | 1u << local.candidate.file;
    };
    for (const std::uint8_t file : state.world.path) used |= 1u << file;
    for (unsigned index = 0; index < state.actorCount; ++index) {
      useAll(state.actors[index].base);
      useAll(state.actors[index].now);
    }
    for (unsigned file = 1; file < kFiles; ++file) {
      if ((used >> file & 1) == 0) state.world.files[file] = File{};
    }
  }

  // What holds in every state.
  bool check(const State& state) {
    const World& world = state.world;
    const auto require = [&](bool holds, const char* invariant, const char* why) {
      if (!holds && !sim_.ignores(invariant)) sim_.report(invariant, why);
    };
    const auto isWhole = [&](const Holding& holding) {
      if (holding.file == 0) return true;
      const File& file = world.files[holding.file];
      const std::uint8_t payload = world.published[holding.store][holding.number];
      return file.store == holding.store && file.number == holding.number && file.payload[0] == payload &&
             file.payload[1] == payload;
    };
    const Actor& writer = state.actors[0];
    const bool isWriterIdle = writer.pending.at == At::rest && !writer.base.isTakingOver;
    std::array<std::array<unsigned, kSlots>, kStores + 1> pinned{};
    for (unsigned index = 1; index < state.actorCount; ++index) {
      const Actor& actor = state.actors[index];
      const Local& now = actor.now;
      const bool isResting = actor.pending.at == At::rest;
      const Words& words = world.words[now.store];
      if (actor.kind == Kind::waiter) {
        const bool mayBeAsleep = now.have == words.sequence && !VersionWord(words.version).isTombstone();
        require(!now.asleep || !isWriterIdle || mayBeAsleep, "I11", "a waiter sleeps through a publish");
        continue;
      }
      require(isWhole(now.held) && isWhole(now.candidate), "I1", "bytes of a pinned version changed");
      for (const Pin& pin : now.pins) {
        const bool counts = pin.store != 0 &&
                            SlotWord(world.words[pin.store].slots[pin.slot]).incarnation() == pin.incarnation;
        if (counts) ++pinned[pin.store][pin.slot];
      }
      if (!isResting || now.store == 0 || now.remembered != words.sequence) continue;
      if (world.announced[now.store]) {
        require(!VersionWord(words.version).isTombstone(), "I10",
                "a reader will never look for the store's successor");
        require(now.have == world.newest[now.store], "I3",
                "a reader's fast path says unchanged, but there is a newer version");
      }
      require(sim_.bounds.sweeps > 0 || world.stores == now.store, "I10",
              "a reader will never look for the store's successor");
    }
    for (unsigned store = 1; store <= kStores; ++store) {
      for (unsigned slot = 0; slot < kSlots; ++slot) {
        require(SlotWord(world.words[store].slots[slot]).count() == pinned[store][slot], "I4",
                "a slot word does not count its readers");
      }
    }
    return sim_.violated == nullptr;
  }

  Hash hashOf(const State& state) const {
    Hash hash, readers{0, 0};
    hash.add(&state.world, sizeof state.world);
    for (unsigned index = 0; index < state.actorCount; ++index) {
      const Actor& actor = state.actors[index];
      Hash own;
      own.add(static_cast<std::uint64_t>(actor.kind) << 8 | actor.logLength);
      own.add(&actor.base, sizeof actor.base);
      own.add(actor.log.data(), actor.logLength * sizeof actor.log[0]);
      own.add(std::uint64_t{1});
      if (actor.kind == Kind::writer) {
        hash.add(own.low);
        hash.add(own.high);
      } else {
        // A sum does not say who is who.
        readers.low += own.low;
        readers.high += own.high;
      }
    }
    hash.add(readers.low);
    hash.add(readers.high);
    return hash;
  }

  static void printOperation(std::uint8_t chosen) {
    // clang-format off
    static constexpr const char* kNames[] = {
        "takes over", "takes over after sweep", "publishes in place into slot", "replaces slot",
        "vacates slot", "destroys the store", "adopts", "lets go", "waits"};
    // clang-format on
    std::printf("%s %u: ", kNames[chosen >> 4], chosen & 0xf);
  }

  static void printValue(At at, std::uint64_t value) {
    switch (at) {
      case At::R2:
      case At::R5:
      case At::T1:
      case At::W3:
      case At::D1: {
        const VersionWord version(value);
        if (version.isNothing() || version.isTombstone())
          std::printf(" = %s\n", version.isNothing() ? "nothing" : "tombstone");
        else
          std::printf(" = slot %u, checksum %u\n", version.slot(), static_cast<unsigned>(value & 0x7ffffff));
        return;
      }
      case At::R3:
      case At::R4:
      case At::R6:
        std::printf(" = incarnation %u\n", static_cast<unsigned>(SlotWord(value).incarnation()));
        return;
      case At::U1:
      case At::W1:
      case At::W2:
      case At::W7:
        std::printf(" = incarnation %u, count %u\n", static_cast<unsigned>(SlotWord(value).incarnation()),
                    static_cast<unsigned>(SlotWord(value).count()));
        return;
      case At::U2:
        std::printf(value == ~std::uint64_t{0} ? "\n" : " fails\n");
        return;
      case At::mapRegion:
      case At::rename:
        std::printf(" = file %u\n", static_cast<unsigned>(value & 0xff));
        return;
      case At::R1:
      case At::W4:
      case At::W5:
      case At::W6:
      case At::W8:
      case At::openState:
        std::printf(" = %llu\n", static_cast<unsigned long long>(value));
        return;
      case At::sleep:
        std::printf(value != 0 ? ": asleep\n" : ": moved\n");
        return;
      default:
        std::printf("\n");
    }
  }

  Simulation& sim_;
  const std::size_t stateLimit_;
  Visited visited_;
  State child_;
  std::vector<std::unique_ptr<Frame>> stack_, spare_;
};

}  // namespace vitrine::explorer
