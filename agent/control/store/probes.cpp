#include "agent/control/store/probes.h"

#include "agent/base/text.h"
#include "agent/control/store/records.h"
#include "agent/control/store/statement.h"
#include "agent/control/store/tenants.h"

#include <map>
#include <set>

namespace sonde::control::store {
namespace {

struct Row {
    std::int64_t id = 0;
    std::int64_t tenant = 0;
    std::string body;
    int is_public = 0;
    int online = 0;
    std::int64_t online_change = 0;
    std::string version;
    std::string commit;
    std::string buildstamp;
    std::int64_t meta = 0;
    std::int64_t delivered = 0;
    std::int64_t created = 0;
    std::int64_t modified = 0;
};

constexpr auto columns =
    "SELECT id, tenant_id, body, public, online, online_change_us, version, build_commit, "
    "buildstamp, "
    "meta_version, delivered_meta_version, created_us, modified_us FROM probes ";

/// Runs a query that begins with `columns`.
template <class... Uses>
std::vector<StoredProbe> select(Transaction& db, const std::string& where, Uses&... uses)
{
    Row row;
    auto rows = executed(db, columns + where, soci::use(uses)..., soci::into(row.id),
        soci::into(row.tenant), soci::into(row.body), soci::into(row.is_public),
        soci::into(row.online), soci::into(row.online_change), soci::into(row.version),
        soci::into(row.commit), soci::into(row.buildstamp), soci::into(row.meta),
        soci::into(row.delivered), soci::into(row.created), soci::into(row.modified));
    std::vector<StoredProbe> found;
    while (rows.fetch()) {
        StoredProbe& stored = found.emplace_back();
        from_column(db, row.body, stored.probe);
        stored.probe.set_id(row.id);
        stored.probe.set_tenantid(row.tenant);
        stored.probe.set_public_(row.is_public != 0);
        stored.probe.set_online(row.online != 0);
        stored.probe.set_onlinechange(seconds(row.online_change));
        stored.probe.set_version(row.version);
        stored.probe.set_commit(row.commit);
        stored.probe.set_buildstamp(row.buildstamp);
        stored.probe.set_created(seconds(row.created));
        stored.probe.set_modified(seconds(row.modified));
        stored.probe.mutable_capabilities();
        stored.meta_version = row.meta;
        stored.delivered_meta_version = row.delivered;
        stored.modified_us = row.modified;
    }
    return found;
}

/// The members that have no column of their own.
void take_body(const pb::Probe& from, pb::Probe& into)
{
    into.set_name(from.name());
    into.set_latitude(from.latitude());
    into.set_longitude(from.longitude());
    *into.mutable_labels() = from.labels();
    into.set_region(from.region());
    into.set_deprecated(from.deprecated());
    *into.mutable_capabilities() = from.capabilities();
}

/// What is stored in `body`.
pb::Probe body_of(const pb::Probe& probe)
{
    pb::Probe body;
    take_body(probe, body);
    return body;
}

/// Whether agents must be given the probe anew: `deprecated` is nobody's business.
bool meta_changed(const pb::Probe& before, const pb::Probe& after)
{
    pb::Probe a = body_of(before);
    pb::Probe b = body_of(after);
    a.set_deprecated(false);
    b.set_deprecated(false);
    return a.SerializeAsString() != b.SerializeAsString();
}

/// A tenant's probe differs from its others and from public ones; a public one from all.
bool name_taken(Transaction& db, std::int64_t tenant, bool is_public, const std::string& name,
    std::int64_t except)
{
    int count = 0;
    const int all = is_public ? 1 : 0;
    db.sql() << "SELECT count(*) FROM probes WHERE name = :name AND id <> :id AND (:all = 1 OR "
                "public = 1 OR tenant_id = :tenant)",
        soci::use(name), soci::use(except), soci::use(all), soci::use(tenant), soci::into(count);
    return count > 0;
}

std::int64_t insert(Transaction& db, std::int64_t tenant, const pb::Probe& probe,
    const std::string& key, const std::string& digest)
{
    const std::string body = to_column(db, body_of(probe));
    const std::string name = probe.name();
    const int is_public = probe.public_() ? 1 : 0;
    const std::int64_t now = db.now_us();
    soci::indicator has_key = key.empty() ? soci::i_null : soci::i_ok;
    std::int64_t id = 0;
    db.sql() << "INSERT INTO probes (tenant_id, name, public, key, token_digest, body, "
                "online_change_us, created_us, modified_us) "
                "VALUES (:tenant, :name, :public, :key, :digest, :body, :a, :b, :c) RETURNING id",
        soci::use(tenant), soci::use(name), soci::use(is_public), soci::use(key, has_key),
        soci::use(digest), soci::use(body), soci::use(now), soci::use(now), soci::use(now),
        soci::into(id);
    return id;
}

/// @param digest of a new token; empty: the old one stays.
/// @return the probe as it is now.
pb::Probe write_back(
    Transaction& db, const StoredProbe& before, const pb::Probe& after, const std::string& digest)
{
    const std::string body = to_column(db, body_of(after));
    const std::string name = after.name();
    const std::int64_t id = before.probe.id();
    const std::int64_t modified = next_modified(db, before.modified_us);
    const bool changed = meta_changed(before.probe, after);
    const std::int64_t meta = before.meta_version + (changed ? 1 : 0);
    db.sql() << "UPDATE probes SET name = :name, body = :body, meta_version = :meta, modified_us = "
                ":now WHERE id = :id",
        soci::use(name), soci::use(body), soci::use(meta), soci::use(modified), soci::use(id);
    if (changed)
        db.touch(id, ChangeKind::probe_meta);
    if (!digest.empty()) {
        db.sql() << "UPDATE probes SET token_digest = :digest WHERE id = :id", soci::use(digest),
            soci::use(id);
        db.touch(id, ChangeKind::probe_token);
    }
    pb::Probe now = before.probe;
    take_body(after, now);
    now.set_modified(seconds(modified));
    return now;
}

std::int64_t checks_of(Transaction& db, std::int64_t probe)
{
    std::int64_t checks = 0;
    db.sql() << "SELECT count(*) FROM check_probes WHERE probe_id = :id", soci::use(probe),
        soci::into(checks);
    return checks;
}

void remove(Transaction& db, std::int64_t id)
{
    db.sql() << "DELETE FROM probes WHERE id = :id", soci::use(id);
    db.touch(id, ChangeKind::probe_gone);
}

Error not_found(std::int64_t id)
{
    return error("not_found", "probe {} not found", id);
}

std::optional<std::int64_t> find_key(Transaction& db, const std::string& key)
{
    std::int64_t id = 0;
    db.sql() << "SELECT id FROM probes WHERE key = :key", soci::use(key), soci::into(id);
    return db.sql().got_data() ? std::optional{id} : std::nullopt;
}

std::string digest_of(Transaction& db, std::int64_t id)
{
    std::string digest;
    db.sql() << "SELECT token_digest FROM probes WHERE id = :id", soci::use(id), soci::into(digest);
    return digest;
}

/// In the place of the digest of a public probe whose token nobody may use: no digest is like that.
std::string revoked(const std::string& key)
{
    return "revoked " + key;
}

/// Makes the entry of a key what `probe` says. Whether its name is free is for the caller to ask.
std::int64_t put_public(
    Transaction& db, const std::string& key, pb::Probe probe, const std::string& digest)
{
    probe.set_public_(true);
    const auto known = find_key(db, key);
    if (!known)
        return insert(db, operator_tenant, probe, key, digest);
    const auto before = *find_probe(db, *known);
    const bool same =
        digest_of(db, *known) == digest &&
        body_of(before.probe).SerializeAsString() == body_of(probe).SerializeAsString();
    if (!same)
        write_back(db, before, probe, digest);
    return *known;
}

/// @return Error "taken" when another probe has the name.
Result<> name_is_free(Transaction& db, std::int64_t id, const std::string& name)
{
    if (name_taken(db, operator_tenant, true, name, id))
        return error(
            "taken", "the name of the public probe \"{}\" is in use by another probe", name);
    return {};
}

/// A token that is to be another one goes first: digests are judged row by row, and two probes may
/// change theirs.
void give_up_token(Transaction& db, const PublicProbe& entry)
{
    const std::string nobody = revoked(entry.key);
    db.sql() << "UPDATE probes SET token_digest = :nobody WHERE key = :key AND token_digest <> "
                ":digest",
        soci::use(nobody), soci::use(entry.key), soci::use(entry.token_sha256);
}

/// The public probes that a directory has brought.
std::vector<std::pair<std::int64_t, std::string>> keys_of_directory(Transaction& db)
{
    std::vector<std::pair<std::int64_t, std::string>> known;
    std::int64_t id = 0;
    std::string key;
    auto rows = executed(db,
        "SELECT id, key FROM probes WHERE key IS NOT NULL AND substr(key, 1, 1) <> '@'",
        soci::into(id), soci::into(key));
    while (rows.fetch())
        known.emplace_back(id, key);
    return known;
}

/// Gone from the directory: nobody may use its token. It stays, deprecated, as long as checks list
/// it: until the first reading of a directory at which none does.
void retire(Transaction& db, std::int64_t id, const std::string& key)
{
    if (checks_of(db, id) == 0) {
        remove(db, id);
        return;
    }
    const std::string nobody = revoked(key);
    const auto before = *find_probe(db, id);
    if (before.probe.deprecated() && digest_of(db, id) == nobody)
        return;
    pb::Probe after = before.probe;
    after.set_deprecated(true);
    write_back(db, before, after, nobody);
}

}  // namespace

std::optional<StoredProbe> find_probe(Transaction& db, std::int64_t id)
{
    auto found = select(db, "WHERE id = :id", id);
    return found.empty() ? std::nullopt : std::optional{std::move(found.front())};
}

std::optional<StoredProbe> find_probe(Transaction& db, std::int64_t tenant, std::int64_t id)
{
    auto found = select(db, "WHERE id = :id AND tenant_id = :tenant AND public = 0", id, tenant);
    return found.empty() ? std::nullopt : std::optional{std::move(found.front())};
}

std::vector<pb::Probe> list_probes(Transaction& db, std::int64_t tenant)
{
    std::vector<pb::Probe> out;
    for (StoredProbe& stored :
        select(db, "WHERE tenant_id = :tenant OR public = 1 ORDER BY id", tenant))
        out.push_back(std::move(stored.probe));
    return out;
}

std::set<std::int64_t> usable_probes(Transaction& db, std::int64_t tenant)
{
    std::set<std::int64_t> ids;
    std::int64_t id = 0;
    auto rows = executed(db, "SELECT id FROM probes WHERE tenant_id = :tenant OR public = 1",
        soci::use(tenant), soci::into(id));
    while (rows.fetch())
        ids.insert(id);
    return ids;
}

bool supports_secrets(Transaction& db, std::int64_t probe)
{
    int supports = 0;
    db.sql() << "SELECT protocol_secrets FROM probes WHERE id = :id", soci::use(probe),
        soci::into(supports);
    return supports != 0;
}

Result<ProbeWithToken> add_probe(Transaction& db, std::int64_t tenant, const pb::Probe& probe)
{
    if (!tenant_exists(db, tenant))
        return tenant_gone();
    if (name_taken(db, tenant, false, probe.name(), 0))
        return error("taken", "name: already in use");
    pb::Probe own = probe;
    own.set_public_(false);
    own.mutable_capabilities()->clear_enableprotocolsecrets();  // for agents to say
    const std::string token = new_probe_token();
    const auto id = insert(db, tenant, own, "", sha256_hex(token));
    return ProbeWithToken{find_probe(db, id)->probe, token};
}

Result<ProbeWithToken> update_probe(
    Transaction& db, const StoredProbe& before, const pb::Probe& probe, bool reset_token)
{
    if (name_taken(db, before.probe.tenantid(), false, probe.name(), before.probe.id()))
        return error("taken", "name: already in use");
    pb::Probe after = probe;
    if (!probe.has_capabilities())
        *after.mutable_capabilities() = before.probe.capabilities();
    after.mutable_capabilities()->set_enableprotocolsecrets(
        before.probe.capabilities().enableprotocolsecrets());
    const std::string token = reset_token ? new_probe_token() : "";
    return ProbeWithToken{
        write_back(db, before, after, token.empty() ? "" : sha256_hex(token)), token};
}

Result<> delete_probe(Transaction& db, std::int64_t tenant, std::int64_t id)
{
    if (!find_probe(db, tenant, id))
        return not_found(id);
    if (const std::int64_t checks = checks_of(db, id); checks > 0)
        return error("in_use", "probe {} is in use by {} checks", id, checks);
    remove(db, id);
    return {};
}

Result<> apply_public_probes(Transaction& db, const std::vector<PublicProbe>& probes)
{
    std::set<std::string> wanted;
    for (const PublicProbe& entry : probes)
        wanted.insert(entry.key);
    // What is gone goes first: its name and its token may have a new key.
    for (const auto& [id, key] : keys_of_directory(db))
        if (!wanted.contains(key))
            retire(db, id, key);
    for (const PublicProbe& entry : probes)
        give_up_token(db, entry);
    std::map<std::int64_t, std::string> names;
    for (const PublicProbe& entry : probes)
        names[put_public(db, entry.key, entry.probe, entry.token_sha256)] = entry.probe.name();
    for (const auto& [id, name] : names)
        if (auto is_free = name_is_free(db, id, name); !is_free)
            return is_free;
    return {};
}

Result<ProbeWithToken> embed_probe(Transaction& db, std::string_view key, const pb::Probe& probe)
{
    const std::string token = new_probe_token();
    const std::int64_t id = put_public(db, std::string{key}, probe, sha256_hex(token));
    if (auto is_free = name_is_free(db, id, probe.name()); !is_free)
        return is_free.error();
    return ProbeWithToken{find_probe(db, id)->probe, token};
}

std::optional<std::int64_t> probe_of_token(Transaction& db, std::string_view presented)
{
    const auto decoded = text::from_base64(presented);
    const std::string raw = sha256_hex(presented);
    const std::string other = decoded ? sha256_hex(*decoded) : raw;
    std::int64_t id = 0;
    auto rows = executed(db, "SELECT id FROM probes WHERE token_digest IN (:a, :b)", soci::use(raw),
        soci::use(other), soci::into(id));
    return rows.fetch() ? std::optional{id} : std::nullopt;
}

}  // namespace sonde::control::store
