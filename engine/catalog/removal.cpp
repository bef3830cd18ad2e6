#include "catalog/removal.hpp"

#include <string>

namespace openarchiver::catalog {

using namespace Poco::Data::Keywords;

void Removal::items(Integer account, const std::vector<ItemsDisposed::Item>& items,
                    Integer disposal, Integer rewrite_by) {
    make_lists();
    {
        Query<std::tuple<Integer>, Integer, std::string> find_item(
            session_, "SELECT item FROM items WHERE account=? AND id=?");
        Query<std::tuple<>, Integer, Integer> list_contents(
            session_,
            "INSERT OR IGNORE INTO temp.gone_contents"
            " SELECT content FROM versions WHERE item=? AND version<=?");
        Query<std::tuple<>, Integer, Integer> remove_versions(
            session_, "DELETE FROM versions WHERE item=? AND version<=?");
        Query<std::tuple<>, Integer, Integer> mark_item(
            session_,
            "UPDATE items SET disposal=? WHERE item=?"
            " AND NOT EXISTS(SELECT 1 FROM versions v WHERE v.item=items.item)");
        Query<std::tuple<>, Integer> remove_history(session_, "DELETE FROM history WHERE item=?");
        Query<std::tuple<>, Integer, std::string> remove_failure(
            session_, "DELETE FROM failures WHERE account=? AND item=?");
        for (const auto& item : items) {
            if (!find_item(account, item.id)) {
                continue;
            }
            const Integer key = find_item.get<0>();
            const auto versions = static_cast<Integer>(item.versions);
            list_contents(key, versions);
            remove_versions(key, versions);
            if (mark_item(disposal, key)) {
                remove_history(key);
                remove_failure(account, item.id);
            }
        }
    }
    // What other items of the account have, too, stays.
    session_ << "DELETE FROM temp.gone_contents WHERE content IN (SELECT v.content FROM items i"
                " JOIN versions v ON v.item=i.item WHERE i.account=?)",
        bind(account), now;
    contents(account, rewrite_by);
}

void Removal::account(Integer account, Integer rewrite_by) {
    make_lists();
    session_ << "INSERT INTO temp.gone_contents SELECT content FROM contents WHERE account=?",
        bind(account), now;
    for (const char* of_item : {"history", "versions", "placements"}) {
        session_ << std::string("DELETE FROM ") + of_item +
                        " WHERE item IN (SELECT item FROM items WHERE account=?)",
            bind(account), now;
    }
    contents(account, rewrite_by);
    for (const char* of_account : {"items", "failures", "folders", "accounts"}) {
        session_ << std::string("DELETE FROM ") + of_account + " WHERE account=?", bind(account),
            now;
    }
}

void Removal::mark_hollow_packs() {
    session_ << "UPDATE packs SET rewrite_by=1 WHERE replaced=0 AND rewrite_by=0"
                " AND (SELECT coalesce(sum(f.raw), 0) FROM frames f WHERE f.pack=packs.pack)"
                " > (SELECT coalesce(sum(CASE c.composition WHEN 0 THEN c.size"
                " ELSE c.composition END), 0) FROM contents c WHERE c.pack=packs.pack)"
                " + (SELECT coalesce(sum(x.size), 0) FROM parts x WHERE x.pack=packs.pack)",
        now;
}

void Removal::make_lists() {
    session_ << "CREATE TEMP TABLE IF NOT EXISTS gone_contents(content INTEGER PRIMARY KEY)", now;
    session_ << "CREATE TEMP TABLE IF NOT EXISTS gone_parts(part INTEGER PRIMARY KEY)", now;
    session_ << "DELETE FROM temp.gone_contents", now;
    session_ << "DELETE FROM temp.gone_parts", now;
}

/// The listed contents, and the parts that nobody else holds.
void Removal::contents(Integer account, Integer rewrite_by) {
    session_ << "INSERT OR IGNORE INTO temp.gone_parts SELECT part FROM content_parts"
                " WHERE content IN (SELECT content FROM temp.gone_contents)",
        now;
    mark_packs(
        "SELECT pack FROM contents WHERE content IN (SELECT content FROM temp.gone_contents)",
        rewrite_by);
    for (const char* of_content : {"content_parts", "contents"}) {
        session_ << std::string("DELETE FROM ") + of_content +
                        " WHERE content IN (SELECT content FROM temp.gone_contents)",
            now;
    }
    session_ << "DELETE FROM temp.gone_parts WHERE part IN (SELECT cp.part FROM contents c"
                " JOIN content_parts cp ON cp.content=c.content WHERE c.account=?)",
        bind(account), now;
    session_ << "DELETE FROM held_parts WHERE part IN (SELECT part FROM temp.gone_parts)"
                " AND account=?",
        bind(account), now;
    session_ << "DELETE FROM temp.gone_parts"
                " WHERE EXISTS(SELECT 1 FROM held_parts h WHERE h.part=gone_parts.part)",
        now;
    mark_packs("SELECT pack FROM parts WHERE part IN (SELECT part FROM temp.gone_parts)",
               rewrite_by);
    session_ << "DELETE FROM parts WHERE part IN (SELECT part FROM temp.gone_parts)", now;
}

void Removal::mark_packs(const char* having, Integer rewrite_by) {
    session_ << std::string(
                    "UPDATE packs SET rewrite_by=CASE rewrite_by WHEN 0 THEN ?"
                    " ELSE min(rewrite_by, ?) END WHERE replaced=0 AND pack IN (") +
                    having + ")",
        bind(rewrite_by), bind(rewrite_by), now;
}

}  // namespace openarchiver::catalog
