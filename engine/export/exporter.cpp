#include "export/exporter.hpp"

#include <algorithm>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "archive/archive.hpp"
#include "export/file_writers.hpp"
#include "export/layout.hpp"
#include "export/manifest.hpp"
#include "export/read_ahead.hpp"

namespace openarchiver::exporter {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

// Versions whose files are being stored, at most.
constexpr std::size_t kMaxStoring = 64;
constexpr std::uint64_t kMaxStoringMemory = 8U << 20;

/// Whether an error of reading is this one version's own.
bool is_damage(Errc code) {
    return code == Errc::corrupt || code == Errc::not_found || code == Errc::unsupported ||
           code == Errc::invalid_argument;
}

class Run {
public:
    Run(access::ArchiveReader& reader, catalog::CatalogReader& catalog, const Options& options,
        OutputFolder& output, Layout& layout, const std::function<void(const Progress&)>& progress,
        std::stop_token stop)
        : reader_(reader),
          catalog_(catalog),
          options_(options),
          output_(output),
          layout_(layout),
          progress_(progress),
          stop_(std::move(stop)),
          tree_(catalog),
          ahead_(reader, catalog, stop_) {
        if (layout.stores_files()) {
            writers_.emplace();
        }
    }

    Result<Summary> everything() {
        const auto visited = catalog_.visit_versions(
            options_.filter, [this](const catalog::VersionRecord& version) -> Status {
                if (!was_found(version)) {
                    return {};
                }
                if (!selected(version)) {
                    return complete_ ? Status(Error{.code = Errc::cancelled}) : Status();
                }
                ahead_.add(version, !resuming_);
                return ahead_.full() ? export_some() : Status();
            });
        if (!visited && !complete_) {
            return visited.error();
        }
        while (!ahead_.empty()) {
            OPENARCHIVER_CHECK(export_first());
        }
        while (!storing_.empty()) {
            OPENARCHIVER_CHECK(settle_first());
        }
        OPENARCHIVER_CHECK(layout_.finish());
        return std::move(summary_);
    }

private:
    [[nodiscard]] bool was_found(const catalog::VersionRecord& version) const {
        return !options_.found ||
               std::ranges::binary_search(options_.found->versions,
                                          std::pair(version.item_key, version.version));
    }

    /// Counts items; sets `complete_` after the last one wanted.
    bool selected(const catalog::VersionRecord& version) {
        if (version.item_key != item_) {
            item_ = version.item_key;
            ++seen_items_;
        }
        if (seen_items_ <= options_.offset) {
            return false;
        }
        if (options_.limit && seen_items_ - options_.offset > *options_.limit) {
            complete_ = true;
            return false;
        }
        return true;
    }

    Status export_some() {
        while (ahead_.half_full()) {
            OPENARCHIVER_CHECK(export_first());
        }
        return {};
    }

    /// A version whose file is being stored, or is.
    struct Storing {
        std::shared_ptr<const ReadAhead::Taken> taken;
        std::string path;
        std::vector<Place> places;
        bool kept = false;
        std::future<Layout::Stored> stored = {};
    };

    Status export_first() {
        if (stop_.stop_requested()) {
            return Error{.code = Errc::cancelled};
        }
        Storing storing{.taken = std::make_shared<ReadAhead::Taken>(ahead_.take_first()),
                        .path = {},
                        .places = {}};
        const auto& version = storing.taken->version();
        OPENARCHIVER_TRY(const auto in, storing.taken->folders());
        OPENARCHIVER_TRY(storing.places, tree_.places(version, in));
        storing.path = layout_.path_of(version, storing.places.front());
        OPENARCHIVER_CHECK(output_.announce(storing.path));
        OPENARCHIVER_TRY(storing.kept, layout_.has(version, storing.path));
        // Of an earlier run's export nothing has to be read up to where it ended.
        resuming_ = storing.kept;
        if (!storing.kept) {
            storing.stored = store(storing);
        }
        storing_memory_ += storing.taken->memory();
        storing_.push_back(std::move(storing));
        while (!storing_.empty() && (!writers_ || storing_.size() >= kMaxStoring ||
                                     storing_memory_ >= kMaxStoringMemory)) {
            OPENARCHIVER_CHECK(settle_first());
        }
        return {};
    }

    std::future<Layout::Stored> store(const Storing& storing) {
        FileWriters::Store task([this, taken = storing.taken, path = storing.path] {
            return layout_.store(taken->version(), path,
                                 [&](sdk::ByteSink& sink) { return taken->read(sink); });
        });
        if (writers_) {
            return writers_->put(std::move(task));
        }
        task();
        return task.get_future();
    }

    /// What came of the version that is stored longest: the manifest has them in their order.
    Status settle_first() {
        Storing storing = std::move(storing_.front());
        storing_.pop_front();
        storing_memory_ -= storing.taken->memory();
        const auto& version = storing.taken->version();
        if (storing.kept) {
            ++summary_.kept;
        } else {
            auto stored = storing.stored.get();
            if (stored.failure) {
                return std::move(*stored.failure);
            }
            if (stored.damage) {
                return except(version, std::move(*stored.damage));
            }
        }
        std::vector<std::vector<std::string>> folders;
        for (auto& place : storing.places) {
            if (!place.folder.empty()) {
                folders.push_back(std::move(place.folder));
            }
        }
        OPENARCHIVER_CHECK(
            output_.add(manifest_line(version, folders, storing.path), storing.path));
        if (std::exchange(exported_item_, version.item_key) != version.item_key) {
            ++summary_.items;
        }
        ++summary_.versions;
        summary_.bytes += version.size;
        return report();
    }

    Status except(const catalog::VersionRecord& version, Error error) {
        if (!is_damage(error.code)) {
            return error;
        }
        // A store that vanished as a whole is no damage of one item.
        OPENARCHIVER_CHECK(archive::Archive::read_marker(reader_.archive().store(), stop_));
        summary_.exceptions.push_back(
            {version.ref, version.version, version.source, version.account, std::move(error)});
        return report();
    }

    Status report() {
        progress_({summary_.versions + summary_.exceptions.size(), summary_.bytes});
        return {};
    }

    access::ArchiveReader& reader_;
    catalog::CatalogReader& catalog_;
    const Options& options_;
    OutputFolder& output_;
    Layout& layout_;
    const std::function<void(const Progress&)>& progress_;
    std::stop_token stop_;
    FolderTree tree_;
    Summary summary_;
    std::int64_t item_ = -1;
    std::uint64_t seen_items_ = 0;
    std::int64_t exported_item_ = -1;
    bool complete_ = false;
    bool resuming_ = false;
    ReadAhead ahead_;
    std::deque<Storing> storing_;
    std::uint64_t storing_memory_ = 0;
    std::optional<FileWriters> writers_;  // where the layout stores files
};

std::unique_ptr<Layout> make_layout(Format format, const OutputFolder& output) {
    switch (format) {
        case Format::eml:
            return make_eml_layout(output);
        case Format::mbox:
            return make_mbox_layout(output);
        case Format::maildir:
            return make_maildir_layout(output);
    }
    return make_eml_layout(output);
}

}  // namespace

std::string_view to_string(Format format) noexcept {
    switch (format) {
        case Format::eml:
            return "eml";
        case Format::mbox:
            return "mbox";
        case Format::maildir:
            return "maildir";
    }
    return "eml";
}

Result<Summary> run(access::ArchiveReader& reader, catalog::CatalogReader& catalog,
                    const Options& options, sdk::Clock& clock,
                    const std::function<void(const Progress&)>& progress, std::stop_token stop) {
    ExportDocument document;
    document.archive_id = reader.archive().marker().archive_id;
    OPENARCHIVER_TRY(document.head, catalog.positions());
    OPENARCHIVER_TRY(
        auto output,
        OutputFolder::open(options.output, identity_document(document.archive_id, options)));
    const auto layout = make_layout(options.format, output);
    auto summary =
        Run(reader, catalog, options, output, *layout, progress, std::move(stop)).everything();
    if (!summary && summary.error().code == Errc::cancelled) {
        summary.error().message =
            "the export was interrupted: start it again with the same options, and it goes on "
            "where it ended";
    }
    OPENARCHIVER_CHECK(summary);
    document.exported_at = sdk::timestamp_of(clock);
    OPENARCHIVER_CHECK(output.finish(export_document(document, options, *summary)));
    return summary;
}

}  // namespace openarchiver::exporter
