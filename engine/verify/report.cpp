#include "verify/report.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "archive/digest.hpp"
#include "evidence/text.hpp"

namespace openarchiver::verify {

namespace json = boost::json;

std::string_view to_string(FindingKind kind) noexcept {
    switch (kind) {
        case FindingKind::segment_damaged:
            return "segment_damaged";
        case FindingKind::segment_missing:
            return "segment_missing";
        case FindingKind::head_damaged:
            return "head_damaged";
        case FindingKind::head_missing:
            return "head_missing";
        case FindingKind::history_rewritten:
            return "history_rewritten";
        case FindingKind::keyring_replaced:
            return "keyring_replaced";
        case FindingKind::key_missing:
            return "key_missing";
        case FindingKind::pack_missing:
            return "pack_missing";
        case FindingKind::pack_damaged:
            return "pack_damaged";
        case FindingKind::content_damaged:
            return "content_damaged";
        case FindingKind::catalog_differs:
            return "catalog_differs";
        case FindingKind::catalog_unreadable:
            return "catalog_unreadable";
        case FindingKind::unreferenced_pack:
            return "unreferenced_pack";
        case FindingKind::foreign_object:
            return "foreign_object";
        case FindingKind::lock_shortened:
            return "lock_shortened";
        case FindingKind::catalog_behind:
            return "catalog_behind";
    }
    return "segment_damaged";
}

bool is_damage(FindingKind kind) noexcept {
    return kind < FindingKind::unreferenced_pack;
}

void Affected::add(std::string ref) {
    ++count;
    if (refs.size() < kMaxRefs) {
        refs.push_back(std::move(ref));
    }
}

bool Report::damaged() const {
    return std::ranges::any_of(findings, [](const Finding& f) { return is_damage(f.kind); });
}

std::string_view Report::rollback() const {
    const bool detected = std::ranges::any_of(findings, [](const Finding& f) {
        return f.kind == FindingKind::segment_missing || f.kind == FindingKind::head_missing ||
               f.kind == FindingKind::history_rewritten || f.kind == FindingKind::keyring_replaced;
    });
    // Packs and the catalog say nothing of the order of things.
    const bool unclear = std::ranges::any_of(findings, [](const Finding& f) {
        return f.kind == FindingKind::segment_damaged || f.kind == FindingKind::head_damaged;
    });
    return detected ? "detected" : kept_head && !unclear ? "none" : "not_detectable";
}

std::string to_json(const Report& report) {
    json::object counts;
    counts["segments"] = report.segments;
    counts["heads"] = report.heads;
    counts["packs"] = report.packs;
    counts["packs_checked"] = report.packs_checked;
    counts["contents_checked"] = report.contents_checked;
    counts["bytes_checked"] = report.bytes_checked;
    counts["contents_forgotten"] = report.contents_forgotten;
    json::array head;
    for (const auto& [writer, position] : report.head) {
        json::object entry;
        entry["writer"] = writer;
        entry["sequence"] = position.sequence;
        entry["sha256"] = archive::to_hex(position.digest);
        head.emplace_back(std::move(entry));
    }
    json::array findings;
    for (const auto& finding : report.findings) {
        json::object affected;
        affected["items"] = finding.affected.count;
        affected["refs"] = json::array(finding.affected.refs.begin(), finding.affected.refs.end());
        affected["accounts"] =
            json::array(finding.affected.accounts.begin(), finding.affected.accounts.end());
        json::object entry;
        entry["kind"] = json::string(to_string(finding.kind));
        entry["damage"] = is_damage(finding.kind);
        entry["object"] = finding.object;
        entry["message"] = finding.message;
        entry["affected"] = std::move(affected);
        findings.emplace_back(std::move(entry));
    }
    json::object document;
    document["archive"] = report.archive_id;
    document["mode"] = report.quick ? "quick" : "full";
    if (report.part) {
        document["part"] = {{"number", report.part->number}, {"of", report.part->of}};
    } else {
        document["part"] = nullptr;
    }
    document["damaged"] = report.damaged();
    document["counts"] = std::move(counts);
    document["head"] = std::move(head);
    document["newest_head"] = nullptr;
    if (report.newest_head) {
        document["newest_head"] = {{"number", report.newest_head->number},
                                   {"time", evidence::time_text(report.newest_head->time)},
                                   {"leaves", report.newest_head->size},
                                   {"sha256", archive::to_hex(report.newest_head->sha256)}};
    }
    document["kept_head"] = nullptr;
    if (report.kept_head) {
        document["kept_head"] = *report.kept_head;
    }
    document["rollback"] = json::string(report.rollback());
    document["findings"] = std::move(findings);
    return json::serialize(document);
}

}  // namespace openarchiver::verify
