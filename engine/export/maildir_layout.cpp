#include <mutex>
#include <string_view>

#include "export/layout.hpp"
#include "export/names.hpp"

namespace openarchiver::exporter {

namespace {

/// SOURCE/ACCOUNT is a Maildir, its inbox; other folders are Maildir++ folders in it.
class MaildirLayout final : public Layout {
public:
    explicit MaildirLayout(const OutputFolder& output) : output_(output) {}

    std::string path_of(const catalog::VersionRecord& version, const Place& place) override {
        const auto seconds =
            std::chrono::floor<std::chrono::seconds>(time_of(version)).time_since_epoch().count();
        return maildir_of(place) + "/cur/" + std::to_string(seconds) + "." + version.ref + "v" +
               std::to_string(version.version) + ".openarchiver:2,S";
    }

    sdk::Result<bool> has(const catalog::VersionRecord& version, const std::string& path) override {
        return file_holds(output_.folder() / path, version.size, version.content);
    }

    [[nodiscard]] bool stores_files() const override { return true; }

    Stored store(const catalog::VersionRecord& version, const std::string& path,
                 const Read& read) override {
        if (auto other = unless_mail(version)) {
            return {.damage = std::move(other)};
        }
        const auto maildir = std::filesystem::path(path).parent_path().parent_path();
        if (auto made = make_maildir(maildir); !made) {
            return {.failure = made.error()};
        }
        return store_file(output_, path, read);
    }

private:
    static std::string maildir_of(const Place& place) {
        const std::vector<std::string> names = {place.source, place.account};
        std::string path = escape_path(names);
        if (place.folder.empty() || (place.in_inbox && place.folder.size() == 1)) {
            return path;
        }
        std::string folder;
        for (std::size_t i = 0; i < place.folder.size(); ++i) {
            folder += "." + (i == 0 && place.in_inbox ? std::string("INBOX")
                                                      : escape_name(place.folder[i], "."));
        }
        return path + "/" + shorten(std::move(folder));
    }

    sdk::Status make_maildir(const std::filesystem::path& maildir) {
        const std::lock_guard lock(mutex_);
        if (maildir == last_made_) {
            return {};
        }
        const auto folder = output_.folder() / maildir;
        for (const char* part : {"cur", "new", "tmp"}) {
            OPENARCHIVER_CHECK(make_folders(folder / part));
        }
        if (maildir.filename().string().starts_with(".")) {
            OPENARCHIVER_CHECK(write_text(folder / "maildirfolder", ""));
        }
        last_made_ = maildir;
        return {};
    }

    const OutputFolder& output_;
    std::mutex mutex_;
    std::filesystem::path last_made_;
};

}  // namespace

std::unique_ptr<Layout> make_maildir_layout(const OutputFolder& output) {
    return std::make_unique<MaildirLayout>(output);
}

}  // namespace openarchiver::exporter
