#include "config/unsupported.h"

#include <array>

namespace sonde::config {
namespace {

constexpr auto keys = std::to_array<Unsupported>({
    {"api.step_aside"},
    {"api.state_file", "off"},
    {"api.telemetry_every"},
    {"checkers.blocked_nets"},
    {"egress.targets"},
    {"egress.quorum"},
    {"egress.timeout"},
    {"egress.valid_for"},
    {"egress.withhold_failures"},
    {"journal.enabled", "false"},
    {"journal.directory"},
    {"journal.max_bytes"},
    {"journal.max_age"},
    {"journal.sync_every"},
    {"status.path_prefix"},
    {"status.page", "false"},
    {"status.public_page", "false"},
    {"status.history"},
    {"status.results", "false"},
    {"status.allow_reload", "false"},
    {"status.allow_disconnect", "false"},
    {"status.allow_log_level", "false"},
    {"status.push_every", "off"},
    {"control.http.trusted_proxies"},
    {"control.database.password"},
    {"control.database.password_file"},
    {"control.database.connections"},
    {"control.tokens.unused_ttl", "off"},
    {"control.tokens.pepper_file"},
    {"control.changes.retention"},
    {"control.changes.max_backlog"},
    {"control.throttle.auth_failures_per_minute", "off"},
    {"control.auth.issuer"},
    {"control.auth.token_ttl"},
    {"control.auth.user_ttl", "off"},
    {"control.auth.token_limit"},
    {"control.auth.exp_leeway"},
    {"control.auth.revoke_on_password_change"},
    {"control.auth.keyring"},
    {"control.um.enforce_shares", "false"},
    {"control.sm.user_write", "false"},
    {"control.store.kind"},
    {"control.store.url"},
    {"control.store.write_url"},
    {"control.store.contract"},
    {"control.telemetry.allow_post", "false"},
    {"control.telemetry.series_match_optional", "false"},
    {"control.telemetry.buildinfo"},
    {"control.telemetry.require_privilege"},
    {"control.telemetry.cors_origins"},
    {"control.telemetry.query_timeout"},
    {"control.alarms.interval"},
    {"control.alarms.history"},
    {"control.alarms.default_actions"},
    {"control.smtp.url"},
    {"control.smtp.from"},
    {"control.smtp.helo"},
    {"control.smtp.user"},
    {"control.smtp.password"},
    {"control.smtp.password_file"},
    {"control.webhook.allow_private", "false"},
    {"control.webhook.allow_http", "false"},
});

}  // namespace

std::span<const Unsupported> unsupported_keys()
{
    return keys;
}

}  // namespace sonde::config
