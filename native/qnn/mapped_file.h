// Files as memory: weights that are read where they lie, and binaries that are written where they will lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace tundish::qnn {

class MappedFile {
 public:
  // The whole file, copy on write: a library that scribbles on its input changes no file.
  static std::shared_ptr<MappedFile> open(const std::string& path);

  // The same of a file that is read as a whole. @throws Failure "read" when it is empty
  static std::shared_ptr<MappedFile> open_filled(const std::string& path);

  // A new file of `bytes`, with its disk space reserved, so that a full disk is an error here and no signal later.
  static std::shared_ptr<MappedFile> create(const std::string& path, size_t bytes);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  MappedFile(uint8_t* data, size_t bytes) : data_(data), bytes_(bytes) {}

  uint8_t* data_;
  size_t bytes_;
};

}  // namespace tundish::qnn
