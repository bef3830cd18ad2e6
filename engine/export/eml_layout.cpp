#include "export/layout.hpp"
#include "export/names.hpp"

namespace openarchiver::exporter {

namespace {

/// What is opened by what: of other media types nobody would know from the name.
std::string suffix_of(std::string_view media_type) {
    constexpr std::pair<std::string_view, std::string_view> kSuffixes[] = {
        {"message/rfc822", ".eml"},    {"text/plain", ".txt"},      {"text/html", ".html"},
        {"text/calendar", ".ics"},     {"text/vcard", ".vcf"},      {"text/csv", ".csv"},
        {"application/json", ".json"}, {"application/pdf", ".pdf"}, {"application/xml", ".xml"},
        {"image/jpeg", ".jpg"},        {"image/png", ".png"},
    };
    for (const auto& [type, suffix] : kSuffixes) {
        if (media_type.substr(0, media_type.find(';')) == type) {
            return std::string(suffix);
        }
    }
    return ".bin";
}

/// SOURCE/ACCOUNT/FOLDER/.../TIME-REF-vVERSION.eml
class EmlLayout final : public Layout {
public:
    explicit EmlLayout(const OutputFolder& output) : output_(output) {}

    std::string path_of(const catalog::VersionRecord& version, const Place& place) override {
        std::vector<std::string> names = {place.source, place.account};
        names.insert(names.end(), place.folder.begin(), place.folder.end());
        return escape_path(names, ".eml") + "/" + compact_time(time_of(version)) + "-" +
               version.ref + "-v" + std::to_string(version.version) + suffix_of(version.media_type);
    }

    sdk::Result<bool> has(const catalog::VersionRecord& version, const std::string& path) override {
        return file_holds(output_.folder() / path, version.size, version.content);
    }

    [[nodiscard]] bool stores_files() const override { return true; }

    Stored store(const catalog::VersionRecord&, const std::string& path,
                 const Read& read) override {
        return store_file(output_, path, read);
    }

private:
    const OutputFolder& output_;
};

Layout::Stored write_file(const std::filesystem::path& path, const Layout::Read& read) {
    auto file = File::open(path, File::Mode::create);
    if (!file) {
        return {.failure = file.error()};
    }
    FileSink sink(*file);
    if (auto done = read(sink); !done) {
        return sink.failure() ? Layout::Stored{.failure = sink.failure()}
                              : Layout::Stored{.damage = done.error()};
    }
    file->begin_to_sync();
    return {};
}

}  // namespace

std::optional<sdk::Error> unless_mail(const catalog::VersionRecord& version) {
    if (version.media_type == "message/rfc822") {
        return std::nullopt;
    }
    return sdk::Error{.code = sdk::Errc::unsupported,
                      .message = "an item of media type " + version.media_type +
                                 " is no mail; the format eml exports it"};
}

sdk::Timestamp time_of(const catalog::VersionRecord& version) {
    return version.received_at == sdk::Timestamp{} ? version.archived_at : version.received_at;
}

Layout::Stored store_file(const OutputFolder& output, const std::string& path,
                          const Layout::Read& read) {
    const auto target = output.folder() / path;
    const auto temporary = output.temporary(path);
    Layout::Stored stored = write_file(temporary, read);
    if (!stored.damage && !stored.failure) {
        auto renamed = rename_file(temporary, target);
        if (!renamed && renamed.error().code == sdk::Errc::not_found) {
            renamed = make_folders(target.parent_path());
            if (renamed) {
                renamed = rename_file(temporary, target);
            }
        }
        if (!renamed) {
            stored.failure = std::move(renamed.error());
        }
    }
    if (stored.damage || stored.failure) {
        std::error_code ignored;
        std::filesystem::remove(temporary, ignored);
    }
    return stored;
}

std::unique_ptr<Layout> make_eml_layout(const OutputFolder& output) {
    return std::make_unique<EmlLayout>(output);
}

}  // namespace openarchiver::exporter
