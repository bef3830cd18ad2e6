#pragma once

#include <Poco/Data/Session.h>

#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

#include "catalog/database.hpp"
#include "search/document.hpp"
#include "search/index_writer.hpp"
#include "search/tokenizer.hpp"

/// The index's file. Only for .cpp files: Poco's headers are heavy.
namespace openarchiver::search {

using catalog::Blob;
using catalog::Integer;
using catalog::PreparedStatement;

/// The version of the index's tables; an index of another one is made anew.
inline constexpr int kIndexVersion = 1;

/// Numbers of documents follow the time at which they were received: kPerSecond for each second, so
/// that going through them downwards gives the newest first.
inline constexpr Integer kPerSecond = 64;

/// Opens an index with the catalog beside it attached as `catalog`, which is only read. `seen` gets
/// the words of what is added, and outlives the session. Throws Poco::Exception.
[[nodiscard]] Poco::Data::Session open_index(const std::filesystem::path& catalog_folder,
                                             catalog::Access access, SeenWords* seen = nullptr);

/// What a Poco exception means for the caller.
[[nodiscard]] sdk::Error translate(const Poco::Exception& exception, const char* doing);

template <typename Action>
auto translated(const char* doing, Action&& action) -> decltype(action()) {
    try {
        return action();
    } catch (const Poco::Exception& exception) {
        return translate(exception, doing);
    }
}

/// Texts as the index keeps them: compressed, for snippets and for taking them out again.
[[nodiscard]] Blob pack_fields(const Document& document);
/// False: damaged.
[[nodiscard]] bool unpack_fields(const Blob& blob, Document& document);

/// Words that the engine adds to a document.
[[nodiscard]] std::string tag_everything();
[[nodiscard]] std::string tag_account(Integer account_key);
[[nodiscard]] std::string tag_attachment();

/// The number that stands for a Message-ID; `salt` is the index's own.
[[nodiscard]] Integer id_number(std::string_view salt, std::string_view message_id);

}  // namespace openarchiver::search
