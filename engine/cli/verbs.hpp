#pragma once

#include "cli/verb.hpp"

/// Every verb of the program; each is in its own cmd_<verb>.cpp.
namespace openarchiver::cli {

void register_accounts(Verb& program);
void register_approval(Verb& program);
void register_audit(Verb& program);
void register_completion(Verb& program);
void register_copy(Verb& program);
void register_credential(Verb& program);
void register_export(Verb& program);
void register_failures(Verb& program);
void register_folders(Verb& program);
void register_forget(Verb& program);
void register_hold(Verb& program);
void register_key(Verb& program);
void register_notify(Verb& program);
void register_plugin(Verb& program);
void register_plugin_new(Verb& plugin);
void register_plugin_verify(Verb& plugin);
void register_profile(Verb& program);
void register_prove(Verb& program);
void register_rebuild(Verb& program);
void register_retention(Verb& program);
void register_search(Verb& program);
void register_serve(Verb& program);
void register_show(Verb& program);
void register_source(Verb& program);
void register_stats(Verb& program);
void register_status(Verb& program);
void register_sync(Verb& program);
void register_verify(Verb& program);

}  // namespace openarchiver::cli
