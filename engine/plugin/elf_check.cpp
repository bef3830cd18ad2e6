#include "plugin/elf_check.hpp"

#include <elf.h>
#include <link.h>

#include <cstring>
#include <fstream>
#include <system_error>

namespace openarchiver::plugin {

namespace {

using Header = ElfW(Ehdr);
using ProgramHeader = ElfW(Phdr);

constexpr unsigned char kNativeClass = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;

bool ends_within(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
    return offset <= size && length <= size - offset;
}

}  // namespace

sdk::Status check_complete(const std::filesystem::path& file) {
    const sdk::Error cut_short{sdk::Errc::corrupt,
                               "the file is shorter than its own headers say; copy it again"};
    std::error_code error;
    const std::uint64_t size = std::filesystem::file_size(file, error);
    std::ifstream stream(file, std::ios::binary);
    Header header{};
    if (error || !stream.read(reinterpret_cast<char*>(&header), sizeof(header)) ||
        std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != kNativeClass || header.e_phentsize != sizeof(ProgramHeader)) {
        return {};
    }
    if (!ends_within(header.e_shoff, std::uint64_t{header.e_shnum} * header.e_shentsize, size)) {
        return cut_short;
    }
    if (!stream.seekg(static_cast<std::streamoff>(header.e_phoff))) {
        return cut_short;
    }
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        ProgramHeader part{};
        if (!stream.read(reinterpret_cast<char*>(&part), sizeof(part)) ||
            (part.p_type == PT_LOAD && !ends_within(part.p_offset, part.p_filesz, size))) {
            return cut_short;
        }
    }
    return {};
}

}  // namespace openarchiver::plugin
