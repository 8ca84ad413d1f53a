#include "agent/cli/ctl/files.h"
#include "tests/support/scratch_folder.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace sonde;
using cli::ctl::Contents;
using cli::ctl::Declared;
using cli::ctl::read_declared;

namespace {

struct FilesFixture {
    tests::ScratchFolder folder;
    std::map<std::string, std::string> environment{{"SECRET", "s3cret"}, {"PLACE", "ams"}};

    Declared read(std::vector<std::string> names, Contents contents = Contents::checks)
    {
        for (std::string& name : names)
            name = folder.path(name);
        auto declared = read_declared(names, environment, contents);
        const std::string prefix = folder.path("");
        for (std::string& problem : declared.problems)
            for (auto at = problem.find(prefix); at != std::string::npos; at = problem.find(prefix))
                problem.erase(at, prefix.size());
        return declared;
    }

    Declared judge(std::string_view text, Contents contents = Contents::checks)
    {
        folder.write("f.yaml", text);
        return read({"f.yaml"}, contents);
    }
};

constexpr std::string_view one_check =
    "job: a\ntarget: example.org\nprobes: [mine]\nsettings: {ping: {}}\n";

}  // namespace

TEST_SUITE("cli/ctl/files")
{
    TEST_CASE_FIXTURE(FilesFixture, "one check, a list, or sections; YAML and JSON")
    {
        struct Row {
            std::string text;
            std::size_t checks;
            std::size_t probes;
            bool of_checks;
            bool of_probes;
        };
        const std::string json =
            R"({"job":"a","target":"example.org","probes":["mine"],"settings":{"ping":{}}})";
        const Row table[] = {
            {std::string{one_check}, 1, 0, true, false},
            {json, 1, 0, true, false},
            {"[" + json + "]", 1, 0, true, false},
            {"[]", 0, 0, true, false},
            {"checks: [" + json + "]\nprobes: [{name: mine}]\n", 1, 1, true, true},
            {"probes: [{name: a}, {name: b}]\n", 0, 2, false, true},
            {"checks: []\n", 0, 0, true, false},
            {"checks:\n", 0, 0, true, false},
        };
        for (const Row& row : table) {
            CAPTURE(row.text);
            const auto declared = judge(row.text);
            CAPTURE(fmt::format("{}", fmt::join(declared.problems, "\n")));
            CHECK(declared.problems.empty());
            CHECK(declared.checks.size() == row.checks);
            CHECK(declared.probes.size() == row.probes);
            CHECK(declared.speaks_of_checks == row.of_checks);
            CHECK(declared.speaks_of_probes == row.of_probes);
        }
    }

    TEST_CASE_FIXTURE(FilesFixture, "the defaults are those of checks_files; what the API adds is "
                                    "let by")
    {
        const auto declared = judge(R"(
- id: 7
  tenantId: 9
  job: a
  target: example.org
  probes: [3, mine, "${PLACE}"]
  created: 1796000000.5
  modified: 1796000000.5
  folderUid: f
  enabled: false
  settings: {ping: {}}
)");
        REQUIRE(declared.problems.empty());
        REQUIRE(declared.checks.size() == 1);
        const auto& one = declared.checks.front();
        CHECK(one.check.id() == 7);
        CHECK_FALSE(one.check.enabled());
        CHECK(one.check.frequency() == 60000);
        CHECK(one.check.timeout() == 3000);
        CHECK(one.probes == std::vector<std::string>{"3", "mine", "ams"});
        CHECK(one.folder_uid == "f");
        CHECK(one.place == folder.path("f.yaml") + ":2");
        CHECK(judge(one_check).checks.front().check.enabled());
    }

    TEST_CASE_FIXTURE(FilesFixture, "what comes out of the environment is not to be shown")
    {
        const auto declared = judge("job: a\ntarget: http://example.org\nprobes: [mine]\n"
                                    "settings: {http: {headers: [\"A: b\", \"X: ${SECRET}\"]}}\n");
        REQUIRE(declared.checks.size() == 1);
        CHECK(declared.checks.front().check.settings().http().headers(1) == "X: s3cret");
        CHECK(declared.checks.front().hidden == cli::ctl::HiddenPaths{"settings.http.headers[1]"});
    }

    TEST_CASE_FIXTURE(FilesFixture, "every problem is named with file, line and member")
    {
        const auto declared = judge(R"(- target: example.org
  frequency: 1000
  timeout: 2000
  settings: {ping: {}}
- job: b
  target: example.org
  timeuot: 1000
  probes: [mine]
  settings: {ping: {}}
- job: c
  target: "example.org:http"
  probes: [mine]
  labels: [{name: a, value: x}, {name: a, value: y}]
  settings: {tcp: {}}
- job: d
  target: example.org
  probes: [[mine]]
  settings: {}
- 17
)");
        const std::vector<std::string> expected{
            "f.yaml:1: [0].probes: at least one probe is required, by name or id",
            "f.yaml:1: [0].job: is required",
            "f.yaml:3: [0].timeout: must not exceed frequency",
            "f.yaml:7: [1].timeuot: is not a member; did you mean timeout?",
            "f.yaml:11: [2].target: \"example.org:http\" is not host:port",
            "f.yaml:13: [2].labels[1]: a is there twice: keep one of them",
            "f.yaml:17: [3].probes[0]: must be a name or an id",
            "f.yaml:18: [3].settings: exactly one kind is required, such as ping: {}",
            "f.yaml:19: [4]: must be a check: a mapping with job and target",
        };
        CHECK(declared.problems == expected);
    }

    TEST_CASE_FIXTURE(FilesFixture, "the same check in two files names both of them")
    {
        folder.write("a.yaml", std::string{one_check});
        folder.write(
            "b.yaml", "# mine\n- " + std::string{"{job: a, target: example.org, probes: [mine], "
                                                 "settings: {ping: {}}}\n"});
        const auto declared = read({"a.yaml", "b.yaml"});
        REQUIRE(declared.problems.size() == 1);
        CHECK(declared.problems.front() ==
              "b.yaml:2: [0].job: \"a\" with target \"example.org\" is in a.yaml:1, too: keep one "
              "of them");
    }

    TEST_CASE_FIXTURE(FilesFixture, "the same probe in two files names both of them")
    {
        folder.write("a.yaml", "probes: [{name: x}]\n");
        folder.write("b.yaml", "probes:\n  - {name: x}\n");
        const auto declared = read({"a.yaml", "b.yaml"});
        REQUIRE(declared.problems.size() == 1);
        CHECK(declared.problems.front() ==
              "b.yaml:2: probes[0].name: \"x\" is in a.yaml:1, too: keep one of them");
    }

    TEST_CASE_FIXTURE(FilesFixture, "a folder: what is below it and has the ending, in order")
    {
        std::filesystem::create_directories(folder.path("d/below"));
        std::filesystem::create_directories(folder.path("d/.git"));
        folder.write("d/z.yml", "[]\n");
        folder.write("d/below/a.json", "{\"probes\": [{\"name\": \"x\"}]}");
        folder.write("d/README.md", "no: [YAML");
        folder.write("d/.hidden.yaml", "no: [YAML");
        folder.write("d/.git/x.yaml", "no: [YAML");
        const auto declared = read({"d"});
        CHECK(declared.problems.empty());
        CHECK(declared.probes.size() == 1);
        CHECK(declared.speaks_of_checks);
        std::filesystem::create_directories(folder.path("empty"));
        CHECK(
            read({"empty"}).problems.size() == 1);  // or --prune would find that nothing is wanted
        std::filesystem::create_symlink("nowhere", folder.path("d/gone.yaml"));
        const auto broken = read({"d"}).problems;
        REQUIRE(broken.size() == 1);
        CHECK(broken.front() == "d/gone.yaml: No such file or directory");
    }

    TEST_CASE_FIXTURE(FilesFixture, "what is no file of checks or probes")
    {
        const std::pair<std::string_view, std::string_view> table[] = {
            {"chekcs: []\n", "f.yaml:1: chekcs: is neither checks nor probes"},
            {"17\n", "f.yaml:1: must be a check: a mapping with job and target"},
            {"probes: [{name: a, latitude: 91}]\n",
                "f.yaml:1: probes[0].latitude: must be from -90 to 90"},
            {"probes: [{region: a}]\n", "f.yaml:1: probes[0].name: is required"},
            {"probes: [{name: a, nmae: b}]\n",
                "f.yaml:1: probes[0].nmae: is not a member; did you mean name?"},
            {"checks: [{job: a, target: \"${UNSET}\", probes: [1], settings: {ping: {}}}]\n",
                "UNSET is not set"},
        };
        for (const auto& [text, said] : table) {
            CAPTURE(text);
            const std::string all = fmt::format("{}", fmt::join(judge(text).problems, "\n"));
            CAPTURE(all);
            CHECK(all.find(said) != std::string::npos);
        }
        CHECK(read({"absent.yaml"}).problems.size() == 1);
        CHECK(judge("[{name: a}, {name: b}]\n", Contents::probes).probes.size() == 2);
    }
}
