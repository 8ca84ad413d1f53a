#include "checkers/registry.h"

#include "checkers/dns/dns.h"
#include "checkers/http/http.h"
#include "checkers/ping/ping.h"
#include "checkers/tcp/tcp.h"

#include <algorithm>

namespace sonde::checkers {
namespace {

/// Stands in for a check whose settings cannot be used, so that its owner sees why.
class Unusable final : public Checker {
public:
    explicit Unusable(std::vector<Problem> problems) : problems_{std::move(problems)} {}
    asio::awaitable<Verdict> run(Run& run) const override
    {
        Verdict verdict = Verdict::pass();
        for (const Problem& problem : problems_) {
            CheckLog::Fields fields;
            fields.emplace_back("err", problem.message);
            Verdict wrong = Verdict::fail(problem.reason, problem.message, problem.cause);
            wrong.attributes = problem.attributes;
            Verdict said = fail(run, "Check cannot run", std::move(fields),
                std::move(wrong).with("target", run.subject.target));
            if (verdict.passed())
                verdict = std::move(said);
        }
        co_return verdict;
    }

private:
    std::vector<Problem> problems_;
};

std::unique_ptr<const Checker> parse(const pb::Check& check, Problems& problems)
{
    if (const auto kind = kind_of(check.settings()))
        return (*kind)->parse(check, problems);
    else
        problems.add(kind.error());
    return nullptr;
}

}  // namespace

std::span<const Kind* const> all_kinds()
{
    static constexpr const Kind* kinds[] = {&dns::kind, &http::kind, &ping::kind, &tcp::kind};
    return kinds;
}

const Kind* find_kind(std::string_view name)
{
    const auto kinds = all_kinds();
    const auto found = std::find_if(
        kinds.begin(), kinds.end(), [&](const Kind* kind) { return kind->name == name; });
    return found == kinds.end() ? nullptr : *found;
}

std::string_view settings_name(const pb::CheckSettings& wire)
{
    const auto* type = pb::CheckSettings::descriptor();
    for (int i = 0; i < type->field_count(); ++i)
        if (pb::CheckSettings::GetReflection()->HasField(wire, type->field(i)))
            return type->field(i)->name();
    return {};
}

Result<const Kind*> kind_of(const pb::CheckSettings& wire)
{
    const auto* type = pb::CheckSettings::descriptor();
    std::string_view found;
    for (int i = 0; i < type->field_count(); ++i) {
        if (!pb::CheckSettings::GetReflection()->HasField(wire, type->field(i)))
            continue;
        if (!found.empty())
            return error("bad_value", "settings: both {} and {}", found, type->field(i)->name());
        found = type->field(i)->name();
    }
    if (const Kind* kind = find_kind(found))
        return kind;
    if (found.empty())
        return error("unknown_kind", "settings: must have one of dns, http, ping, tcp");
    return error("not_supported", "settings.{}: not supported", found);
}

std::vector<Error> validate(const pb::Check& check)
{
    Problems problems;
    parse(check, problems);
    return {problems.all().begin(), problems.all().end()};
}

Prepared make(const pb::Check& check)
{
    const auto kind = kind_of(check.settings());
    const Kind* known = kind ? *kind : find_kind(settings_name(check.settings()));
    Problems problems;
    auto checker = parse(check, problems);
    if (!problems.none())
        checker = std::make_unique<Unusable>(problems.all());
    return {known, std::move(checker)};
}

}  // namespace sonde::checkers
