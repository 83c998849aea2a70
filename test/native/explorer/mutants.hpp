// What can be made wrong, one thing at a time. Each is applied by the policy that performs labelled accesses
// (simulation.hpp) or by the process around the handshake (processes.hpp); handshake.hpp is never edited.
#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace vitrine::explorer {

// clang-format off
#define VITRINE_MUTANTS(X)                                                                              \
  /* Labelled accesses. */                                                                              \
  X(countedInNever) X(countedInByLoadAndStore) X(versionNotRechecked) X(wordNotRechecked)               \
  X(unpinnedBlindly) X(unpinnedWithoutCompare) X(countIgnored) X(countsKept) X(wordNotStored)           \
  X(versionNotStored) X(sequenceFirst) X(sequenceNotMoved) X(flagClearedAfter) X(flagNotLookedAtAgain)  \
  X(flagNotCleared) X(vacatedInName) X(tombstoneNotStored) X(sequenceRememberedLate) X(pinnedFirst)     \
  X(hintIgnored)                                                                                        \
  /* Arguments and order of the calls around them. */                                                   \
  X(countedEarly) X(countedLate) X(waitsForReaders) X(noMaximum) X(wordNotAsked) X(noStoreId)           \
  X(notReannounced) X(unlinkedFirst) X(reuseChanged) X(wordAfterVersion) X(wordBeforeRename)            \
  X(namedBeforeEncoded) X(numberNotCleared) X(suspectTrusted) X(numberRestarted) X(tombstoneOverlooked) \
  X(takeoverSilent) X(burialSilent) X(stateUnlinkedFirst) X(pinNotCompared) X(mappingsKept)             \
  X(sequenceKept) X(numberKept) X(flagNotRaised) X(expectedLate)

#define VITRINE_NAME(name) name,
enum class Mutant { none, VITRINE_MUTANTS(VITRINE_NAME) };
#undef VITRINE_NAME

#define VITRINE_ENTRY(name) std::pair<std::string_view, Mutant>{#name, Mutant::name},
inline constexpr std::array kMutants{VITRINE_MUTANTS(VITRINE_ENTRY)};
#undef VITRINE_ENTRY
// clang-format on

}  // namespace vitrine::explorer
