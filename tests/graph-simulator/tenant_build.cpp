// The tenant as it is when the simulator starts.
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <stdexcept>

#include "tenant.hpp"
#include "text.hpp"

namespace graph_simulator {
namespace {

// 2026-09-28T21:03:10Z: generated mail ends here, so that a seed always gives the same bytes.
constexpr std::int64_t kLastDelivery = 1790629390;
constexpr std::int64_t kDeliveryInterval = 137;

constexpr std::array<std::string_view, 4> kProjectNames = {
    "Projects", "Kunden/Auftr\xC3\xA4ge \xE2\x82\xAC", "2026", "Zulu"};

struct Share {
    std::string_view folder;
    unsigned percent;
};

constexpr std::array<Share, 9> kShares = {{{"inbox", 52},
                                           {"sentitems", 14},
                                           {"archive", 7},
                                           {"deleteditems", 5},
                                           {"junkemail", 3},
                                           {"drafts", 2},
                                           {"conversationhistory", 1},
                                           {"clutter", 1},
                                           {"recoverableitemsdeletions", 2}}};

// Log-normal: with a median of 40 KB, one in 100,000 reaches 25 MB, where it ends.
std::uint64_t spread_size(Random& random, double median) {
    constexpr double kSigma = 1.5;
    const double normal = std::sqrt(-2.0 * std::log(1.0 - random.unit())) *
                          std::cos(6.283185307179586 * random.unit());
    return static_cast<std::uint64_t>(
        std::clamp(median * std::exp(kSigma * normal), median / 16, 25e6));
}

std::string account_name(std::string_view name) {
    std::string account = lower(name);
    std::replace(account.begin(), account.end(), ' ', '.');
    return account;
}

}  // namespace

Tenant::Tenant(const TenantPlan& plan) : plan_(plan), random_(mix(plan.seed, 42)) {
    for (std::uint64_t i = 0; i < plan.users; ++i) {
        const std::string name = person_name(i);
        // Names repeat after some hundreds; accounts must not.
        const std::string suffix = i < 500 ? "" : std::to_string(i);
        User& user =
            add_user(name, account_name(name) + suffix + "@contoso.example", MailboxState::Enabled);
        if (plan.mail_directory.empty())
            fill_mailbox(user, plan.messages);
    }
    if (!plan.mail_directory.empty())
        load_directory(plan.mail_directory);
    if (plan.large_bytes > 0 && !users_.empty()) {
        Content content;
        content.exact_size = plan.large_bytes;
        User& user = *users_.front();
        deliver(user, *find_folder(user, "inbox"), content, kLastDelivery + 60, false);
    }
    if (plan.extras)
        build_extras();

    Random random(mix(plan.seed, 7));
    Group everyone{guid_from(random), "Archived mailboxes", {}, {1}, false};
    Group inner{guid_from(random), "Management", {}, {}, false};
    for (const auto& user : users_) {
        if (user->number % 2 == 0)
            everyone.users.push_back(user->number);
        if (user->number % 2 == 1 || user->number == 0)
            inner.users.push_back(user->number);
    }
    groups_ = {std::move(everyone), std::move(inner)};
}

void Tenant::build_folders(User& user) {
    add_folder(user, "Top of Information Store", kNone, "msgfolderroot");
    add_folder(user, "Inbox", 0, "inbox");
    add_folder(user, "Drafts", 0, "drafts");
    add_folder(user, "Sent Items", 0, "sentitems");
    add_folder(user, "Deleted Items", 0, "deleteditems");
    add_folder(user, "Junk Email", 0, "junkemail");
    add_folder(user, "Outbox", 0, "outbox");
    add_folder(user, "Archive", 0, "archive");
    add_folder(user, "Conversation History", 0, "conversationhistory");
    const std::uint32_t issues = add_folder(user, "Sync Issues", 0, "syncissues").number;
    add_folder(user, "Conflicts", issues, "conflicts");
    add_folder(user, "Local Failures", issues, "localfailures");
    add_folder(user, "Server Failures", issues, "serverfailures");
    add_folder(user, "Clutter", 0, "clutter").hidden = true;
    add_folder(user, "Weekly digests", 1).search = true;
    add_folder(user, "Deletions", kNone, "recoverableitemsdeletions").outside_root = true;
    std::uint32_t parent = 1;
    for (std::uint64_t i = 0; i < plan_.folders; ++i) {
        std::string name(kProjectNames[i % kProjectNames.size()]);
        if (i >= kProjectNames.size())
            name += " " + std::to_string(i);
        parent = add_folder(user, std::move(name), parent).number;
        if (i % kProjectNames.size() == kProjectNames.size() - 1)
            parent = 1;
    }
}

void Tenant::fill_mailbox(User& user, std::uint64_t messages) {
    std::vector<std::uint32_t> projects;
    for (const Folder& folder : user.folders) {
        if (folder.well_known.empty() && !folder.search)
            projects.push_back(folder.number);
    }
    user.messages.reserve(user.messages.size() + messages);
    Random random(mix(mix(plan_.seed, user.number), 3));
    const auto count = static_cast<std::int64_t>(messages);
    for (std::int64_t i = 0; i < count; ++i) {
        std::uint64_t draw = i == 0 ? 0 : random.below(100);
        Folder* folder = nullptr;
        for (const Share& share : kShares) {
            if (draw < share.percent) {
                folder = find_folder(user, share.folder);
                break;
            }
            draw -= share.percent;
        }
        if (folder == nullptr) {
            folder = projects.empty() ? find_folder(user, "inbox")
                                      : &user.folders[projects[random.below(projects.size())]];
        }
        Content content;
        content.sent_by_owner = folder->well_known == "sentitems";
        if (plan_.median_bytes > 0)
            content.exact_size = spread_size(random, static_cast<double>(plan_.median_bytes));
        deliver(user, *folder, content, kLastDelivery - (count - i) * kDeliveryInterval,
                folder->well_known == "drafts");
    }
}

void Tenant::load_directory(const std::string& directory) {
    namespace fs = std::filesystem;
    std::vector<std::string> paths;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
        if (entry.is_regular_file() && entry.path().extension() == ".eml") {
            paths.push_back(fs::absolute(entry.path()).string());
        }
    }
    std::sort(paths.begin(), paths.end());
    if (users_.empty() && !paths.empty())
        throw std::runtime_error("--mail needs at least one user");
    constexpr std::array<std::string_view, 3> kTargets = {"inbox", "sentitems", "archive"};
    const auto total = static_cast<std::int64_t>(paths.size());
    for (std::int64_t i = 0; i < total; ++i) {
        const auto index = static_cast<std::size_t>(i);
        User& user = *users_[index % users_.size()];
        std::vector<std::uint32_t> targets;
        for (const std::string_view name : kTargets) {
            targets.push_back(find_folder(user, name)->number);
        }
        for (const Folder& folder : user.folders) {
            if (folder.well_known.empty() && !folder.search)
                targets.push_back(folder.number);
        }
        Folder& folder = user.folders[targets[index / users_.size() % targets.size()]];
        deliver(user, folder, contents_.add_file(std::move(paths[index])),
                kLastDelivery - (total - i) * kDeliveryInterval, false);
    }
}

void Tenant::build_extras() {
    User& guest =
        add_user("Bo", "bo_fabrikam.example#EXT#@contoso.onmicrosoft.example", MailboxState::None);
    guest.type = "Guest";
    guest.mail = "bo@fabrikam.example";

    add_user("Nora Nomail", "nora.nomail@contoso.example", MailboxState::None);

    User& shared = add_user("Sales (shared)", "sales@contoso.example", MailboxState::Enabled);
    shared.enabled = false;
    shared.licensed = false;
    shared.purpose = "shared";
    fill_mailbox(shared, std::max<std::uint64_t>(plan_.messages, 1));

    User& room = add_user("Room 1.01", "room101@contoso.example", MailboxState::Enabled);
    room.enabled = false;
    room.licensed = false;
    room.purpose = "room";

    User& closed = add_user("Carl Closed", "carl.closed@contoso.example", MailboxState::Policy);
    fill_mailbox(closed, std::max<std::uint64_t>(plan_.messages, 1));
}

}  // namespace graph_simulator
