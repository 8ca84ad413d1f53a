#pragma once

#include "config/agent_config.h"
#include "config/judge_check.h"
#include "config/section.h"

#include <map>
#include <string>
#include <vector>

namespace sonde::config {

// One function for each section of the file; each reads all keys of its section.

void read_api(Section section, const std::string& state_dir, ApiConfig& config);
void read_probe(Section section, ProbeConfig& config);
void read_tenants(Section& top, std::vector<TenantConfig>& tenants);
void read_schedule(Section section, ScheduleConfig& config);
void read_checkers(Section section, CheckersConfig& config);
void read_egress(Section section, EgressConfig& config);
void read_publisher(Section section, PublisherConfig& config);
/// After `publisher`: the journal must hold more than the memory before it.
void read_journal(Section section, const std::string& state_dir, const PublisherConfig& publisher,
    JournalConfig& config);
void read_status(Section section, StatusConfig& config);
void read_control(Section section, const std::string& state_dir, ControlConfig& config);

/// `checks` and `checks_files` (spec 07 §3.3): the enabled ones, complete.
void read_checks(Section& top, const std::vector<TenantConfig>& tenants, const JudgeCheck& judge,
    std::vector<pb::Check>& checks);

/// Path and printed default of every key that is honoured: what README.md documents. Keys of a
/// tenant are "tenants[].id" and so on; a secret has one entry, without "_file".
std::map<std::string, std::string> known_options();

/// What is wrong with the name or the value of a label (spec 04 §6.4, `extended`); empty: nothing.
std::string bad_label(std::string_view name, std::string_view value);

}  // namespace sonde::config
