#include "mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "failure.h"

namespace tundish::qnn {
namespace {

[[noreturn]] void fail(const char* call, const std::string& path, int error) { throw Failure(call, 0, path + ": " + std::strerror(error)); }

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

uint8_t* map(int descriptor, size_t bytes, int flags, const std::string& path) {
  if (bytes == 0) return nullptr;
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  if (data == MAP_FAILED) fail("map", path, errno);
  return static_cast<uint8_t*>(data);
}

}  // namespace

std::shared_ptr<MappedFile> MappedFile::open(const std::string& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0) fail("open", path, errno);
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail("open", path, errno);
  const auto bytes = static_cast<size_t>(status.st_size);
  return std::shared_ptr<MappedFile>(new MappedFile(map(file.number, bytes, MAP_PRIVATE, path), bytes));
}

std::shared_ptr<MappedFile> MappedFile::open_filled(const std::string& path) {
  auto file = open(path);
  if (file->bytes() == 0) throw Failure("read", 0, path + " is empty");
  return file;
}

std::shared_ptr<MappedFile> MappedFile::create(const std::string& path, size_t bytes) {
  const Descriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
  if (file.number < 0) fail("create", path, errno);
  const int error = bytes == 0 ? 0 : ::posix_fallocate(file.number, 0, static_cast<off_t>(bytes));
  try {
    if (error != 0) fail("write", path, error);
    return std::shared_ptr<MappedFile>(new MappedFile(map(file.number, bytes, MAP_SHARED, path), bytes));
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

}  // namespace tundish::qnn
