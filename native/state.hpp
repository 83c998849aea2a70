// The state region as a file: created whole or not at all, opened only if it is one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "handshake.hpp"
#include "region.hpp"

namespace vitrine {

// Why a file is not a state region that this program can use. It is never repaired or wiped.
enum class StateFlaw { none, byteLength, magic, byteOrder, formatVersion };

class State {
 public:
  // `writable` maps it for writing. A flaw is no fault: the file could be read, but is not ours to use.
  static std::optional<Fault> open(const std::string& path, bool writable, std::shared_ptr<State>& state,
                                   StateFlaw& flaw, std::uint32_t& formatVersion);

  // Creates the file under a temporary name and links it: whoever opens the path finds it complete. Without
  // that, a crash between creation and initialisation would leave a store that nobody may wipe. EEXIST if
  // something has come to the path meanwhile.
  static std::optional<Fault> create(const std::string& path, const std::string& temporaryPath, mode_t mode,
                                     bool reuse);

  StateRegion& region() const;
  Handshake<ProcessAtomics> handshake() const { return {region(), reuse_}; }
  const std::shared_ptr<Mapping>& mapping() const { return mapping_; }
  std::uint64_t storeId() const { return storeId_; }
  bool reuse() const { return reuse_; }
  const FileFacts& facts() const { return facts_; }
  int descriptor() const { return file_.get(); }


  // Whether its path still leads to this file.
  bool isInPlace() const { return leadsTo(path_, facts_); }

 private:
  std::string path_;
  Descriptor file_;
  FileFacts facts_{};
  std::shared_ptr<Mapping> mapping_;
  // Read once: what somebody writes over the identity later must not change how we behave.
  std::uint64_t storeId_ = 0;
  bool reuse_ = true;
};

// A number for this boot of the machine. After another boot nobody of before is left, and what a disk kept of the
// payload and of the version word need not belong together.
std::uint64_t currentBootId();

std::uint64_t nowUs();

// Chains header and payload. The publish number is part of it, so that equal content published twice differs.
std::uint64_t headerChecksum(const RegionHeader& header, const std::byte* payload);

}  // namespace vitrine
