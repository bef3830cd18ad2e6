#include "search/indexer.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "archive/archive.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/schema.hpp"
#include "search/extract/wire.hpp"
#include "search/extractor.hpp"
#include "search/index_writer.hpp"

namespace openarchiver::search {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr int kNice = 10;
constexpr std::size_t kPage = 256;           // versions asked of the catalog at once
constexpr std::size_t kAhead = 1024;         // versions on their way
constexpr std::size_t kWaiting = 16U << 20;  // bytes of text that were read and not added yet
// A transaction: the larger, the fewer segments FTS5 has to merge.
constexpr std::size_t kTransactionBytes = 12U << 20;
constexpr std::size_t kTransactionItems = 4096;
constexpr std::size_t kMaxContent = 49U << 20;

/// Bytes up to a limit; what comes after is not taken, which ends the transfer.
class Beginning final : public sdk::ByteSink {
public:
    Status write(std::span<const std::byte> bytes) override {
        const auto take = std::min(bytes.size(), kMaxContent - text.size());
        text.append(reinterpret_cast<const char*>(bytes.data()), take);
        if (take < bytes.size()) {
            cut = true;
            return Error{Errc::resource_exhausted, "longer than what is searched"};
        }
        return {};
    }

    std::string text;
    bool cut = false;
};

/// Whether an error of reading is this one version's own.
bool is_damage(Errc code) {
    return code == Errc::corrupt || code == Errc::not_found || code == Errc::unsupported ||
           code == Errc::invalid_argument;
}

ino_t inode_of(const std::filesystem::path& file) {
    struct stat status{};
    return ::stat(file.c_str(), &status) == 0 ? status.st_ino : 0;
}

}  // namespace

struct Indexer::State {
    State(std::filesystem::path catalog_folder, IndexerOptions given)
        : folder(std::move(catalog_folder)), options(given) {}

    struct Task {
        catalog::VersionRecord version;
        Document document;
        Status status;
        bool done = false;
    };

    /// Opens catalog and index, where that is not done, or one of them was made anew.
    Status open(std::stop_token stop) {
        const auto inode = inode_of(catalog::catalog_file(folder));
        if (index && inode == catalog_inode && inode_of(index_file(folder)) == index_inode) {
            return {};
        }
        index.reset();
        OPENARCHIVER_TRY(catalog, catalog::CatalogReader::open(folder));
        OPENARCHIVER_TRY(auto opened, IndexWriter::open(folder));
        // What was purged from the catalog while nobody followed it.
        OPENARCHIVER_TRY(const bool remains, opened->remove_stale(stop));
        if (remains) {
            OPENARCHIVER_CHECK(opened->scrub(std::move(stop)));
        }
        index = std::move(opened);
        catalog_inode = inode;
        index_inode = inode_of(index_file(folder));
        return {};
    }

    Status start_workers() {
        if (!workers.empty()) {
            return {};
        }
        OPENARCHIVER_TRY(program, extractor_program());
        const unsigned count = options.extractors != 0
                                   ? options.extractors
                                   : std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
        for (unsigned i = 0; i < count; ++i) {
            workers.emplace_back([this](const std::stop_token& stop) { work(stop); });
        }
        return {};
    }

    void work(const std::stop_token& stop) {
        (void)::setpriority(PRIO_PROCESS, 0, kNice);
        Extractor extractor(program);
        std::unique_ptr<catalog::CatalogReader> reader;
        std::uint64_t reader_of = 0;
        while (true) {
            Task* task = nullptr;
            archive::Archive* from = nullptr;
            std::stop_token call_stop;
            std::uint64_t call_number = 0;
            {
                std::unique_lock lock(mutex);
                if (!changed.wait(lock, stop, [this] { return !queue.empty() && may_read(); })) {
                    return;
                }
                task = queue.front();
                queue.pop_front();
                from = archive;
                call_stop = stop_of_call;
                call_number = call;
            }
            Status status;
            if (reader_of != call_number) {
                auto opened = catalog::CatalogReader::open(folder);
                if (opened) {
                    reader = std::move(*opened);
                    reader_of = call_number;
                } else {
                    status = opened.error();
                }
            }
            if (status) {
                status = read(*task, *reader, *from, extractor, call_stop);
            }
            const std::lock_guard lock(mutex);
            task->status = std::move(status);
            task->done = true;
            waiting_bytes += task->document.size();
            changed.notify_all();
        }
    }

    /// With the mutex: the oldest task is read in any case, the others while there is room.
    [[nodiscard]] bool may_read() const {
        return waiting_bytes < kWaiting || tasks.front().get() == queue.front();
    }

    Status read(Task& task, catalog::CatalogReader& reader, archive::Archive& from,
                Extractor& extractor, const std::stop_token& stop) const {
        Document& document = task.document;
        Beginning message;
        auto stored = reader.stored(task.version.content_key);
        Status got = stored ? Status() : stored.error();
        if (got) {
            got = from.packs().read_outline(*stored, wire::part_mark, message, stop);
        }
        const bool mail = task.version.media_type == "message/rfc822";
        if (got || message.cut) {
            if (mail) {
                const auto part = [&](std::uint32_t number) -> Result<std::string> {
                    Beginning bytes;
                    const Status ok = from.packs().read_part(*stored, number, bytes, stop);
                    if (!ok && !bytes.cut && !is_damage(ok.error().code)) {
                        return ok.error();
                    }
                    return std::move(bytes.text);
                };
                OPENARCHIVER_TRY(document,
                                 extractor.extract(message.text, options.attachments, part, stop));
            } else {
                document.gaps.push_back({GapReason::unsupported, ""});
            }
        } else if (is_damage(got.error().code)) {
            document.gaps.push_back({GapReason::failed, ""});
        } else {
            return got;
        }
        // What the catalog knows is found in any case.
        if (document[Field::subject].empty()) {
            document[Field::subject] = task.version.subject;
        }
        if (document[Field::from].empty()) {
            document[Field::from] = task.version.from;
        }
        return {};
    }

    /// The tasks are in the order of the marks.
    void submit(std::vector<catalog::VersionRecord> versions) {
        const std::lock_guard lock(mutex);
        for (auto& version : versions) {
            tasks.push_back(std::make_unique<Task>());
            tasks.back()->version = std::move(version);
            queue.push_back(tasks.back().get());
        }
        changed.notify_all();
    }

    /// The oldest task, once it is done.
    std::unique_ptr<Task> take() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return tasks.front()->done; });
        auto task = std::move(tasks.front());
        tasks.pop_front();
        waiting_bytes -= task->document.size();
        changed.notify_all();
        return task;
    }

    /// Nothing of a call is left to the workers.
    void drop_tasks() {
        std::unique_lock lock(mutex);
        std::erase_if(tasks, [this](const auto& task) {
            return std::ranges::find(queue, task.get()) != queue.end();
        });
        queue.clear();
        changed.wait(lock, [this] {
            return std::ranges::all_of(tasks, [](const auto& task) { return task->done; });
        });
        tasks.clear();
        waiting_bytes = 0;
    }

    const std::filesystem::path folder;
    const IndexerOptions options;
    std::filesystem::path program;
    std::unique_ptr<catalog::CatalogReader> catalog;
    std::unique_ptr<IndexWriter> index;
    ino_t catalog_inode = 0;
    ino_t index_inode = 0;

    std::mutex mutex;  // guards everything below
    std::condition_variable_any changed;
    std::uint64_t call = 0;
    archive::Archive* archive = nullptr;
    std::stop_token stop_of_call;
    std::deque<std::unique_ptr<Task>> tasks;  // the oldest first
    std::deque<Task*> queue;                  // of them, those that nobody has taken yet
    std::size_t waiting_bytes = 0;

    std::vector<std::jthread> workers;  // last: started when all the rest is there
};

Indexer::Indexer(std::filesystem::path catalog_folder, IndexerOptions options)
    : state_(std::make_unique<State>(std::move(catalog_folder), options)) {}

Indexer::~Indexer() = default;

Status Indexer::catch_up(archive::Archive& archive,
                         std::optional<std::chrono::steady_clock::time_point> until,
                         const std::function<void(std::uint64_t added)>& progress,
                         std::stop_token stop) {
    State& state = *state_;
    OPENARCHIVER_CHECK(state.open(stop));
    catalog::VersionMark asked = state.index->mark();
    OPENARCHIVER_TRY(auto versions, state.catalog->versions_after(asked, kPage));
    if (versions.empty()) {
        return {};
    }
    OPENARCHIVER_CHECK(state.start_workers());
    {
        const std::lock_guard lock(state.mutex);
        ++state.call;
        state.archive = &archive;
        state.stop_of_call = stop;
    }

    struct Drop {
        State& state;

        ~Drop() { state.drop_tasks(); }
    } const drop{state};

    bool more = true;
    std::vector<Entry> entries;
    std::size_t bytes = 0;
    std::uint64_t added = 0;
    const auto submit = [&] {
        more = versions.size() == kPage;
        if (!versions.empty()) {
            const auto& last = versions.back();
            asked = {last.segment, last.item_key, last.version};
            state.submit(std::move(versions));
        }
    };
    submit();
    while (!state.tasks.empty()) {
        const bool over = until && std::chrono::steady_clock::now() >= *until;
        while (more && !over && state.tasks.size() + kPage <= kAhead) {
            OPENARCHIVER_TRY(versions, state.catalog->versions_after(asked, kPage));
            submit();
        }
        auto task = state.take();
        OPENARCHIVER_CHECK(std::move(task->status));
        const catalog::VersionMark mark{task->version.segment, task->version.item_key,
                                        task->version.version};
        bytes += task->document.size();
        entries.push_back({std::move(task->version), std::move(task->document)});
        const bool last = state.tasks.empty() || over;
        if (last || bytes >= kTransactionBytes || entries.size() >= kTransactionItems) {
            added += entries.size();
            OPENARCHIVER_CHECK(state.index->add(std::exchange(entries, {}), mark));
            bytes = 0;
            progress(added);
        }
        if (over) {
            break;
        }
    }
    return {};
}

}  // namespace openarchiver::search
