// What can be made wrong, one thing at a time. Each is applied by the policy that performs labelled accesses
// (simulation.hpp) or by the process around the handshake (processes.hpp); handshake.hpp is never edited.
#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace vitrine::explorer {

enum class Mutant {
  none,
  // Labelled accesses.
  countedInNever, countedInByLoadAndStore, versionNotRechecked, wordNotRechecked, unpinnedBlindly,
  unpinnedWithoutCompare, countIgnored, countsKept, wordNotStored, versionNotStored, sequenceFirst, sequenceNotMoved,
  flagClearedAfter, flagNotLookedAtAgain, flagNotCleared, vacatedInName, tombstoneNotStored, sequenceRememberedLate,
  pinnedFirst, hintIgnored,
  // Arguments and order of the calls around them.
  countedEarly, countedLate, waitsForReaders, noMaximum, wordNotAsked, noStoreId, notReannounced, unlinkedFirst, reuseChanged,
  wordAfterVersion, wordBeforeRename, namedBeforeEncoded, numberNotCleared, suspectTrusted, numberRestarted,
  tombstoneOverlooked, takeoverSilent, burialSilent, pinNotCompared, mappingsKept, sequenceKept, numberKept,
  flagNotRaised, expectedLate, stateUnlinkedFirst,
};

inline constexpr std::array<std::pair<std::string_view, Mutant>, 45> kMutants{{
    {"countedInNever", Mutant::countedInNever},
    {"countedInByLoadAndStore", Mutant::countedInByLoadAndStore},
    {"versionNotRechecked", Mutant::versionNotRechecked},
    {"wordNotRechecked", Mutant::wordNotRechecked},
    {"unpinnedBlindly", Mutant::unpinnedBlindly},
    {"unpinnedWithoutCompare", Mutant::unpinnedWithoutCompare},
    {"countIgnored", Mutant::countIgnored},
    {"countsKept", Mutant::countsKept},
    {"wordNotStored", Mutant::wordNotStored},
    {"versionNotStored", Mutant::versionNotStored},
    {"sequenceFirst", Mutant::sequenceFirst},
    {"sequenceNotMoved", Mutant::sequenceNotMoved},
    {"flagClearedAfter", Mutant::flagClearedAfter},
    {"flagNotLookedAtAgain", Mutant::flagNotLookedAtAgain},
    {"flagNotCleared", Mutant::flagNotCleared},
    {"vacatedInName", Mutant::vacatedInName},
    {"tombstoneNotStored", Mutant::tombstoneNotStored},
    {"sequenceRememberedLate", Mutant::sequenceRememberedLate},
    {"pinnedFirst", Mutant::pinnedFirst},
    {"hintIgnored", Mutant::hintIgnored},
    {"countedEarly", Mutant::countedEarly},
    {"countedLate", Mutant::countedLate},
    {"waitsForReaders", Mutant::waitsForReaders},
    {"noMaximum", Mutant::noMaximum},
    {"wordNotAsked", Mutant::wordNotAsked},
    {"noStoreId", Mutant::noStoreId},
    {"notReannounced", Mutant::notReannounced},
    {"unlinkedFirst", Mutant::unlinkedFirst},
    {"reuseChanged", Mutant::reuseChanged},
    {"wordAfterVersion", Mutant::wordAfterVersion},
    {"wordBeforeRename", Mutant::wordBeforeRename},
    {"namedBeforeEncoded", Mutant::namedBeforeEncoded},
    {"numberNotCleared", Mutant::numberNotCleared},
    {"suspectTrusted", Mutant::suspectTrusted},
    {"numberRestarted", Mutant::numberRestarted},
    {"tombstoneOverlooked", Mutant::tombstoneOverlooked},
    {"takeoverSilent", Mutant::takeoverSilent},
    {"burialSilent", Mutant::burialSilent},
    {"pinNotCompared", Mutant::pinNotCompared},
    {"mappingsKept", Mutant::mappingsKept},
    {"sequenceKept", Mutant::sequenceKept},
    {"numberKept", Mutant::numberKept},
    {"flagNotRaised", Mutant::flagNotRaised},
    {"expectedLate", Mutant::expectedLate},
    {"stateUnlinkedFirst", Mutant::stateUnlinkedFirst},
}};

}  // namespace vitrine::explorer
