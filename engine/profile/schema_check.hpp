#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "profile/profile.hpp"

namespace openarchiver::profile {

struct Findings {
    std::vector<Problem> problems;
    /// Pointers of the values that stand where the schema marks a secret.
    std::vector<std::string> secrets;
};

/// Checks a document against a schema of the vocabulary that the SDK names, with messages for
/// people. No value of the document appears in them but ids of plugins. `plugins` explains unknown
/// plugins; null: any id is taken.
[[nodiscard]] Findings check_document(const boost::json::value& schema,
                                      const boost::json::value& document,
                                      const plugin::PluginHost* plugins);

/// The last word on a document without problems: a complete JSON Schema validator. Its messages
/// are poor, so it comes second.
[[nodiscard]] std::vector<Problem> arbitrate(const boost::json::value& schema,
                                             const boost::json::value& document);

/// Why the validator can't work with a schema; absent where it can.
[[nodiscard]] std::optional<std::string> schema_fault(const boost::json::value& schema);

/// Whether a secret has the form of a GUID, as the id of a secret has where its value is meant.
[[nodiscard]] bool looks_like_secret_id(std::string_view secret);
/// The warning about it.
[[nodiscard]] Problem secret_id_warning(std::string pointer);

}  // namespace openarchiver::profile
