#include "plugin/elf_check.hpp"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <array>
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

namespace {

using SectionHeader = ElfW(Shdr);
using Symbol = ElfW(Sym);

constexpr std::uint64_t kMaxSymbols = 1U << 20U;

/// Reads a file at any place; false: it is not there.
class Pieces {
public:
    explicit Pieces(const std::filesystem::path& file) : stream_(file, std::ios::binary) {}

    bool read(std::uint64_t offset, void* target, std::uint64_t size) {
        stream_.clear();
        stream_.seekg(static_cast<std::streamoff>(offset));
        return static_cast<bool>(
            stream_.read(static_cast<char*>(target), static_cast<std::streamsize>(size)));
    }

private:
    std::ifstream stream_;
};

/// Where the bytes that will be at `address` are in the file.
std::optional<std::uint64_t> offset_of(Pieces& pieces, const Header& header,
                                       std::uint64_t address) {
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        ProgramHeader part{};
        if (pieces.read(header.e_phoff + i * sizeof part, &part, sizeof part) &&
            part.p_type == PT_LOAD && address >= part.p_vaddr &&
            address - part.p_vaddr < part.p_filesz) {
            return part.p_offset + (address - part.p_vaddr);
        }
    }
    return std::nullopt;
}

/// The exported symbol of the stamp.
std::optional<Symbol> stamp_symbol(Pieces& pieces, const Header& header) {
    for (unsigned i = 0; i < header.e_shnum; ++i) {
        SectionHeader section{};
        SectionHeader names{};
        if (!pieces.read(header.e_shoff + i * sizeof section, &section, sizeof section) ||
            section.sh_type != SHT_DYNSYM ||
            !pieces.read(header.e_shoff + section.sh_link * sizeof names, &names, sizeof names)) {
            continue;
        }
        const std::uint64_t count = std::min(section.sh_size / sizeof(Symbol), kMaxSymbols);
        for (std::uint64_t k = 0; k < count; ++k) {
            Symbol symbol{};
            std::array<char, 32> name{};
            if (pieces.read(section.sh_offset + k * sizeof symbol, &symbol, sizeof symbol) &&
                symbol.st_shndx != SHN_UNDEF &&
                pieces.read(names.sh_offset + symbol.st_name, name.data(),
                            std::strlen(kStampName) + 1) &&
                std::strcmp(name.data(), kStampName) == 0) {
                return symbol;
            }
        }
    }
    return std::nullopt;
}

}  // namespace

sdk::Result<std::optional<sdk::AbiStamp>> read_stamp(const std::filesystem::path& file) {
    Pieces pieces(file);
    Header header{};
    if (!pieces.read(0, &header, sizeof header) ||
        std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != kNativeClass || header.e_type != ET_DYN ||
        header.e_phentsize != sizeof(ProgramHeader) ||
        header.e_shentsize != sizeof(SectionHeader)) {
        return sdk::Error{sdk::Errc::unsupported, "not a library of this machine"};
    }
    const auto symbol = stamp_symbol(pieces, header);
    if (!symbol) {
        return std::optional<sdk::AbiStamp>();
    }
    sdk::AbiStamp stamp{};
    const auto offset = offset_of(pieces, header, symbol->st_value);
    const std::uint64_t size = std::min<std::uint64_t>(symbol->st_size, sizeof stamp);
    if (!offset || !pieces.read(*offset, &stamp, size)) {
        return std::optional<sdk::AbiStamp>();
    }
    return std::optional(stamp);
}

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
