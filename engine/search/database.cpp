#include "search/database.hpp"

#include <Poco/Data/SQLite/SQLiteException.h>
#include <Poco/Data/SQLite/Utility.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "archive/digest.hpp"
#include "catalog/schema.hpp"
#include "search/words.hpp"

namespace openarchiver::search {

using namespace Poco::Data::Keywords;
using sdk::Errc;

namespace {

constexpr int kLevel = 1;  // of zstd: texts are short, and the import is waiting
constexpr std::size_t kMaxText = kFields * std::max(kMaxBody, kMaxAttachments) + 4096;

}  // namespace

std::filesystem::path index_file(const std::filesystem::path& catalog_folder) {
    return catalog_folder / "search.db";
}

Poco::Data::Session open_index(const std::filesystem::path& catalog_folder, catalog::Access access,
                               SeenWords* seen) {
    auto session = catalog::open_session(index_file(catalog_folder), access);
    register_tokenizer(Poco::Data::SQLite::Utility::dbHandle(session), seen);
    if (access == catalog::Access::write) {
        session << "PRAGMA secure_delete=OFF", now;  // a purge rewrites the whole file instead
        session << "PRAGMA cache_size=-65536", now;
    }
    const auto catalog = catalog::catalog_file(catalog_folder).string();
    session << "ATTACH DATABASE ? AS catalog", bind(catalog), now;
    return session;
}

sdk::Error translate(const Poco::Exception& exception, const char* doing) {
    namespace sqlite = Poco::Data::SQLite;
    const std::string what = std::string(doing) + ": " + exception.displayText();
    if (dynamic_cast<const sqlite::CorruptImageException*>(&exception) != nullptr ||
        dynamic_cast<const sqlite::DBAccessDeniedException*>(&exception) != nullptr ||
        what.find("malformed") != std::string::npos) {
        return {Errc::corrupt, "the search index is damaged (" + what +
                                   "): delete search.db beside the catalog, and the next sync, or "
                                   "the service, makes it anew"};
    }
    if (dynamic_cast<const sqlite::DatabaseFullException*>(&exception) != nullptr) {
        return {Errc::resource_exhausted, "no space left for the search index (" + what +
                                              "); free space on the catalog's volume"};
    }
    return {Errc::unavailable, "the search index failed (" + what + ")"};
}

Blob pack_fields(const Document& document) {
    std::string raw;
    raw.reserve(document.size() + 4 * kFields);
    for (const auto& text : document.fields) {
        const auto size = static_cast<std::uint32_t>(text.size());
        raw.append(reinterpret_cast<const char*>(&size), sizeof size);
        raw += text;
    }
    std::vector<unsigned char> packed(ZSTD_compressBound(raw.size()));
    const auto size = ZSTD_compress(packed.data(), packed.size(), raw.data(), raw.size(), kLevel);
    return Blob(packed.data(), ZSTD_isError(size) != 0 ? 0 : size);
}

bool unpack_fields(const Blob& blob, Document& document) {
    const auto size = ZSTD_getFrameContentSize(blob.rawContent(), blob.size());
    if (size > kMaxText) {  // the values for errors are larger still
        return false;
    }
    std::string raw(static_cast<std::size_t>(size), '\0');
    if (ZSTD_decompress(raw.data(), raw.size(), blob.rawContent(), blob.size()) != raw.size()) {
        return false;
    }
    std::string_view rest = raw;
    for (auto& text : document.fields) {
        std::uint32_t length = 0;
        if (rest.size() < sizeof length) {
            return false;
        }
        std::memcpy(&length, rest.data(), sizeof length);
        rest.remove_prefix(sizeof length);
        if (rest.size() < length) {
            return false;
        }
        text = rest.substr(0, length);
        rest.remove_prefix(length);
    }
    return true;
}

std::string tag_everything() {
    return std::string(kTagMark) + "e";
}

std::string tag_account(Integer account_key) {
    return std::string(kTagMark) + "a" + std::to_string(account_key);
}

std::string tag_attachment() {
    return std::string(kTagMark) + "h";
}

Integer id_number(std::string_view salt, std::string_view message_id) {
    archive::Sha256 digest;
    digest.update(std::as_bytes(std::span(salt)));
    digest.update(std::as_bytes(std::span(message_id)));
    const auto full = digest.finish();
    Integer number = 0;
    std::memcpy(&number, full.data(), sizeof number);
    return number;
}

}  // namespace openarchiver::search
