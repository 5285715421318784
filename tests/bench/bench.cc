// bench - measures each figure together with its ceiling or peer, in several rounds; prints the
// table, writes results.json and the plots. scripts/bench prepares the servers and calls it.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/figures.h"
#include "bench/load.h"
#include "bench/plot.h"
#include "bench/service.h"
#include "bench/tools.h"
#include "system/harness/http.h"
#include "system/harness/process.h"

namespace {

using figures::Direction;
using figures::median;
using figures::percentile;
using figures::progress;
using figures::Table;
using service::Service;
using namespace std::chrono_literals;

// --- Settings and counts ------------------------------------------------------------------------

// NAME=VALUE arguments of the command line.
class Settings {
public:
    Settings(int argc, char** argv)
    {
        for (int i = 1; i < argc; ++i) {
            const std::string word = argv[i];
            const auto equals = word.find('=');
            values_[word.substr(0, equals)] =
                equals == std::string::npos ? "" : word.substr(equals + 1);
        }
    }
    const std::string& operator[](const std::string& name) const
    {
        const auto found = values_.find(name);
        if (found == values_.end())
            throw std::runtime_error("the setting " + name + " is missing; scripts/bench gives it");
        return found->second;
    }
    int number(const std::string& name) const { return std::stoi((*this)[name]); }

private:
    std::map<std::string, std::string> values_;
};

struct Counts {
    int rounds;
    int seconds;  // of one saturating run
    int open_loop_seconds;
    int requests;                // of one client, for one value of a ratio
    int deletions;               // in one run
    int creations;               // in each domain, in one round
    std::vector<int> memory_at;  // numbers of requests after which a worker's memory is measured
    int mix_seconds;
    int flooded;  // requests of each kind in one round
};

const Counts kFull{5, 3, 10, 1000, 1800, 60, {100'000, 250'000, 500'000, 1'000'000}, 600, 40};
const Counts kQuick{3, 1, 2, 200, 300, 15, {10'000, 20'000}, 15, 20};

constexpr int kConnections = 16;
const std::vector<int> kSizes{1, 100, 1000};  // of a list
constexpr int kDomains = 10'000;              // of 10 mailboxes each, data.sql
constexpr int kDeletedOfMillion = 1000;

class Bench {
public:
    explicit Bench(const Settings& settings)
        : settings_{settings}, counts_{settings["quick"] == "yes" ? kQuick : kFull},
          directory_{settings["directory"]}, place_{settings["programs"], settings["db_socket"],
                                                    settings["db_user"], settings["db_name"],
                                                    settings.number("workers")},
          port_{settings.number("port")}, key_{settings["key"]}
    {
    }

    void run();

private:
    using Part = void (Bench::*)();
    bool is_wanted(const std::string& name) const { return name.starts_with(settings_["only"]); }

    void lists();
    void lists_read();
    void open_loop();
    void tail();
    void skip();
    void million();
    void paging();
    void posts();
    void deletes();
    void create_time();
    void storm();
    void flood();
    void memory();
    void start();
    void mix();
    void overload();
    void keep_nothing() { restart("nothing-kept.conf"); }
    void keep_pages() { restart("mailboxd.conf"); }
    void restart(const char* configuration)
    {
        service_.reset();
        service_ = start_service(configuration);
    }

    std::unique_ptr<Service> start_service(const char* configuration = "mailboxd.conf") const
    {
        return std::make_unique<Service>(directory_ / "bin/mailboxd", directory_ / configuration,
                                         directory_ / "log/mailboxd.log");
    }
    // Runs the rounds and prints the progress.
    void rounds(const std::string& what, const std::function<void()>& round) const
    {
        for (int i = 1; i <= counts_.rounds; ++i) {
            progress(what + ", round " + std::to_string(i) + " of "
                     + std::to_string(counts_.rounds));
            round();
        }
    }
    static std::string path(const std::string& domain, const std::string& query = "")
    {
        return "/v3/" + domain + "/mailboxes" + (query.empty() ? "" : "?" + query);
    }
    std::string url(const std::string& target, const char* port = "port") const
    {
        return "http://127.0.0.1:" + settings_[port] + target;
    }
    // Returns the median time of one client that repeats the same request.
    double list_milliseconds(const std::string& domain, const std::string& query) const
    {
        return median(well(load::one_by_one(port_, {static_cast<std::size_t>(counts_.requests),
                                                    load::get(path(domain, query), key_)}))
                          .milliseconds);
    }
    // Throws if there were errors; otherwise returns the result.
    static load::Result well(load::Result result)
    {
        if (result.errors() > 0)
            throw std::runtime_error("answers were not 200: " + result.described_errors());
        return result;
    }
    load::Next listing_of_100() const
    {
        return [request = load::get(path("ten-thousand.example", "limit=100"), key_)] {
            return load::Request{request};
        };
    }
    // Returns a request that creates a new mailbox.
    load::Request creation(const std::string& domain, std::function<void(int)> answered = {})
    {
        return {load::with_form("POST", path(domain), key_,
                                "mailbox=" + new_name() + "&password=correct-horse"),
                std::move(answered)};
    }
    std::string new_name() { return "new" + std::to_string(++created_); }
    double saturation();
    void write(const std::string& name, const std::string& text) const
    {
        std::ofstream{std::filesystem::path{settings_["results"]} / name} << text;
    }

    const Settings& settings_;
    const Counts counts_;
    std::filesystem::path directory_;
    tools::Place place_;
    int port_;
    std::string key_;
    Table table_;
    std::unique_ptr<Service> service_;
    std::vector<double> idle_pss_;
    std::optional<double> saturation_;
    std::vector<double> ceilings_;  // T, by size of the list
    std::atomic<int> created_ = 0;
    int next_empty_ = 0;
    int next_deleted_ = 0;
};

double ratio(double a, double b)
{
    return a / b;
}

// --- Lists --------------------------------------------------------------------------------------

void Bench::lists()
{
    const auto& sizes = kSizes;
    const std::vector<double> peer_goals{4, 3.5, 2.5};
    std::vector<std::vector<double>> against_peer(sizes.size()), against_ceiling(sizes.size());
    std::vector<double> cpu;
    std::vector<plot::Group> groups;
    const pid_t mariadb = settings_.number("mariadb_pid"), nginx = settings_.number("nginx_pid"),
                responder = settings_.number("responder_pid");
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const auto target = path("ten-thousand.example", "limit=" + std::to_string(sizes[i]));
        const http::Request once{
            .method = "GET", .target = target, .headers = {{"Authorization", http::basic(key_)}}};
        const auto bytes = http::Server{static_cast<std::uint16_t>(port_)}.send(once).body;
        const auto peer_bytes =
            http::Server{static_cast<std::uint16_t>(settings_.number("peer_port"))}.send(once).body;
        if (bytes.empty() || bytes != peer_bytes)
            throw std::runtime_error("the peer does not answer the same list: "
                                     + peer_bytes.substr(0, 300));
        const auto floor = url(path("constant", std::to_string(bytes.size())), "floor_port");
        std::vector<double> ours, peers, d_rates, f_rates, t_rates;
        rounds("list of " + std::to_string(sizes[i]), [&] {
            // Each with the CPU time of one list.
            const auto cost =
                [](const std::vector<pid_t>& processes, const std::function<double()>& run) {
                const double before = service::cpu_seconds(processes);
                const double requests = run();
                return (service::cpu_seconds(processes) - before) / requests;
            };
            tools::Rows d;
            double d_cpu = cost({mariadb}, [&] {
                return (d = tools::rows(place_, counts_.seconds, sizes[i])).pages;
            });
            d_cpu += d.cpu_seconds / d.pages;
            tools::Load f, own;
            const double f_cpu = cost({nginx, responder}, [&] {
                return (f = tools::wrk(floor, key_, kConnections, counts_.seconds)).requests;
            });
            const double own_cpu = cost({nginx, service_->master(), mariadb}, [&] {
                return (own = tools::wrk(url(target), key_, kConnections, counts_.seconds))
                    .requests;
            });
            const auto peer =
                tools::wrk(url(target, "peer_port"), key_, kConnections, counts_.seconds);
            const double t = 1 / (1 / d.rate + 1 / f.rate);
            against_peer[i].push_back(ratio(own.rate, peer.rate));
            against_ceiling[i].push_back(ratio(own.rate, t));
            if (sizes[i] == 100) cpu.push_back(ratio(own_cpu, d_cpu + f_cpu));
            ours.push_back(own.rate);
            peers.push_back(peer.rate);
            d_rates.push_back(d.rate);
            f_rates.push_back(f.rate);
            t_rates.push_back(t);
        });
        if (sizes[i] == 100) saturation_ = median(ours);
        ceilings_.push_back(median(t_rates));
        plot::Group group{"list of " + std::to_string(sizes[i]), {}};
        std::string note = group.name + ", a second:";
        for (const auto& [name, rates] : {std::pair{"mailboxd", &ours},
                                          {"PHP-FPM", &peers},
                                          {"D", &d_rates},
                                          {"F", &f_rates},
                                          {"T", &t_rates}}) {
            const auto rate = median(*rates);
            note += std::string{" "} + name + " " + std::to_string(std::lround(rate));
            if (std::string_view{name} != "D" && std::string_view{name} != "F")
                group.bars.push_back(
                    {100 * rate / median(t_rates), std::to_string(std::lround(rate))});
        }
        Table::note(note);
        groups.push_back(std::move(group));
    }
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        table_.add({"list of " + std::to_string(sizes[i]) + ", rate / PHP-FPM's", peer_goals[i],
                    Direction::at_least, "", against_peer[i]});
    }
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        table_.add({"list of " + std::to_string(sizes[i]) + ", rate / T", 0.8, Direction::at_least,
                    "", against_ceiling[i]});
    }
    table_.add(
        {"CPU of a list of 100 / that of D and F together", 1.25, Direction::at_most, "", cpu});
    write("throughput.svg",
          plot::bars("Lists a second, beside the ceiling", "per cent of the ceiling T",
                     {"mailboxd", "PHP-FPM", "ceiling T"}, groups));
}

// For a note: the same lists, read from the database each time.
void Bench::lists_read()
{
    std::string note = "with nothing kept, lists a second:";
    for (std::size_t i = 0; i < kSizes.size(); ++i) {
        std::vector<double> rates;
        rounds("list of " + std::to_string(kSizes[i]) + ", nothing kept", [&] {
            rates.push_back(
                tools::wrk(url(path("ten-thousand.example", "limit=" + std::to_string(kSizes[i]))),
                           key_, kConnections, counts_.seconds)
                    .rate);
        });
        char text[80];
        std::snprintf(text, sizeof text, "%s of %d %.0f", i == 0 ? "" : ",", kSizes[i],
                      median(rates));
        note += text;
        if (i >= ceilings_.size()) continue;
        std::snprintf(text, sizeof text, " (%.2f of T)", median(rates) / ceilings_[i]);
        note += text;
    }
    Table::note(note);
}

double Bench::saturation()
{
    if (!saturation_)
        saturation_ = tools::wrk(url(path("ten-thousand.example", "limit=100")), key_, kConnections,
                                 counts_.seconds)
                          .rate;
    return *saturation_;
}

// For the plot of latencies: the time that each share of the answers stays below.
plot::Series distribution(const std::string& name, const std::vector<double>& milliseconds)
{
    plot::Series series{name, {}};
    for (int twentieth = 0; twentieth <= 60; ++twentieth) {
        const double rest = std::pow(10, -twentieth / 20.0);
        series.points.emplace_back(1 / rest, percentile(milliseconds, 1 - rest));
    }
    return series;
}

void Bench::open_loop()
{
    const double rate = saturation() / 2;
    std::vector<double> p99;
    rounds("open loop", [&] {
        p99.push_back(percentile(
            well(load::open_loop(port_, rate, std::chrono::seconds{counts_.open_loop_seconds},
                                 listing_of_100()))
                .milliseconds,
            0.99));
    });
    table_.add(
        {"open loop at half of saturation, list of 100: p99", 3, Direction::at_most, "ms", p99});
}

void Bench::tail()
{
    const auto log = (directory_ / "log/h2load.log").string();
    std::vector<plot::Series> plots;
    for (const int connections : {16, 64}) {
        std::vector<double> quotients, all;
        rounds("p99 / p50 at " + std::to_string(connections) + " connections", [&] {
            const auto times = tools::h2load(url(path("ten-thousand.example", "limit=100")), key_,
                                             connections, counts_.seconds, log);
            quotients.push_back(ratio(percentile(times, 0.99), median(times)));
            all.insert(all.end(), times.begin(), times.end());
        });
        table_.add({"list of 100 at " + std::to_string(connections) + " connections: p99 / p50", 4,
                    Direction::at_most, "", quotients});
        plots.push_back(distribution(std::to_string(connections) + " connections", all));
    }
    const auto open = load::open_loop(
        port_, saturation() / 2, std::chrono::seconds{counts_.open_loop_seconds}, listing_of_100());
    plots.push_back(distribution("open loop at half of saturation", open.milliseconds));
    write("latency.svg",
          plot::lines("Time to the answer, list of 100",
                      {"per cent of the answers",
                       plot::Scale::logarithmic,
                       {{1, "0"}, {2, "50"}, {10, "90"}, {100, "99"}, {1000, "99.9"}}},
                      {"milliseconds"}, plots));
}

void Bench::skip()
{
    std::vector<double> quotients;
    const auto at = [&](int skip) {
        return list_milliseconds("million.example", "limit=100&skip=" + std::to_string(skip));
    };
    rounds("skip", [&] {
        const auto near = at(0);
        quotients.push_back(ratio(at(999'900), near));
    });
    table_.add({"skip 999,900 / skip 0, domain of a million, one client", 1.5, Direction::at_most,
                "", quotients});
    plot::Series series{"domain of a million, one client", {}};
    const std::vector<std::pair<double, std::string>> marks{{100, "100"},
                                                            {1000, "1000"},
                                                            {10'000, "10,000"},
                                                            {100'000, "100,000"},
                                                            {999'900, "999,900"}};
    progress("skip, for the plot");
    for (const double skip :
         {100.0, 300.0, 1000.0, 3000.0, 10'000.0, 30'000.0, 100'000.0, 300'000.0, 999'900.0})
        series.points.emplace_back(skip, at(static_cast<int>(skip)));
    write("skip.svg",
          plot::lines("Time of a list of 100, by skip", {"skip", plot::Scale::logarithmic, marks},
                      {"milliseconds"}, {series}));
}

void Bench::million()
{
    std::vector<double> quotients;
    rounds("domain of a million", [&] {
        const auto small = list_milliseconds("hundred.example", "limit=100");
        quotients.push_back(ratio(list_milliseconds("million.example", "limit=100"), small));
    });
    table_.add({"list in the domain of a million / in one of 100, skip 0", 1.1, Direction::at_most,
                "", quotients});
    plot::Series lists{"list of 100, skip 0", {}}, deep{"list of 100, at the end", {}};
    const std::vector<std::pair<double, std::string>> domains{{100, "hundred.example"},
                                                              {1000, "thousand.example"},
                                                              {10'000, "ten-thousand.example"},
                                                              {100'000, "hundred-thousand.example"},
                                                              {1'000'000, "million.example"}};
    progress("size of the domain, for the plot");
    for (const auto& [size, name] : domains) {
        lists.points.emplace_back(size, list_milliseconds(name, "limit=100"));
        deep.points.emplace_back(
            size, list_milliseconds(name, "limit=100&skip="
                                              + std::to_string(static_cast<int>(size) - 100)));
    }
    write("domain-size.svg", plot::lines("Time of a list of 100, by size of the domain",
                                         {"mailboxes in the domain",
                                          plot::Scale::logarithmic,
                                          {{100, "100"},
                                           {1000, "1000"},
                                           {10'000, "10,000"},
                                           {100'000, "100,000"},
                                           {1'000'000, "1,000,000"}}},
                                         {"milliseconds"}, {lists, deep}));
}

void Bench::paging()
{
    constexpr int kPages = 1000;
    std::vector<std::string> through, first;
    for (int page = 0; page < kPages; ++page) {
        through.push_back(load::get(
            path("million.example", "limit=1000&skip=" + std::to_string(page * 1000)), key_));
        first.push_back(load::get(path("million.example", "limit=1000"), key_));
    }
    std::vector<double> quotients;
    rounds("paging", [&] {
        const auto same = well(load::one_by_one(port_, first)).seconds;
        quotients.push_back(ratio(well(load::one_by_one(port_, through)).seconds, same));
    });
    table_.add({"paging through a million by 1000 / 1000 times the first page", 1.5,
                Direction::at_most, "", quotients});
}

// --- Changes ------------------------------------------------------------------------------------

void Bench::posts()
{
    std::vector<double> quotients, rates, ceilings;
    const int seconds = counts_.seconds + 2;
    rounds("POST", [&] {
        ceilings.push_back(tools::hashes(place_, std::thread::hardware_concurrency(), seconds));
        rates.push_back(
            well(load::closed_loop(port_, kConnections, std::chrono::seconds{seconds}, [&] {
                return creation("posts.example");
            })).rate());
        quotients.push_back(ratio(rates.back(), ceilings.back()));
    });
    table_.add({"POST, all into one domain, rate / H", 0.9, Direction::at_least, "", quotients});
    Table::note("a second: POST " + std::to_string(std::lround(median(rates))) + ", H "
                + std::to_string(std::lround(median(ceilings))));
}

void Bench::deletes()
{
    std::vector<double> quotients, rates, ceilings;
    // Each run deletes one mailbox from each of the next domains; a domain has ten.
    const auto next = [&](auto run) {
        if (next_deleted_ % kDomains + counts_.deletions > kDomains)
            next_deleted_ += kDomains - next_deleted_ % kDomains;
        const int first = next_deleted_ % kDomains + 1;
        const auto local_part = "user" + std::string(5, '0')
                                + (next_deleted_ / kDomains < 9 ? "0" : "")
                                + std::to_string(next_deleted_ / kDomains + 1);
        next_deleted_ += counts_.deletions;
        return run(local_part, first, first + counts_.deletions - 1);
    };
    rounds("DELETE", [&] {
        ceilings.push_back(next([&](const std::string& local_part, int first, int last) {
            return tools::commits(place_, local_part, first, last);
        }));
        rates.push_back(next([&](const std::string& local_part, int first, int last) {
            int domain = first;
            return well(load::closed_loop(
                            port_, kConnections, 1h,
                            [&]() -> std::optional<load::Request> {
                                if (domain > last) return std::nullopt;
                                char name[32];
                                std::snprintf(name, sizeof name, "d%05d.example", domain++);
                                return load::Request{load::with_form(
                                    "DELETE", path(name) + "/" + local_part, key_, "")};
                            }))
                .rate();
        }));
        quotients.push_back(ratio(rates.back(), ceilings.back()));
    });
    table_.add({"DELETE over 10,000 domains, rate / C", 0.7, Direction::at_least, "", quotients});
    Table::note("a second: DELETE " + std::to_string(std::lround(median(rates))) + ", C "
                + std::to_string(std::lround(median(ceilings))));
}

// As the service reports it in its log.
std::vector<double> database_milliseconds(const std::vector<std::string>& lines)
{
    std::vector<double> values;
    for (const auto& line : lines) {
        const auto place = line.find(" db_ms=");
        if (place != std::string::npos && line.find(" method=POST ") != std::string::npos)
            values.push_back(std::stod(line.substr(place + 7)));
    }
    return values;
}

void Bench::create_time()
{
    std::vector<double> quotients, in_million, in_empty;
    rounds("create", [&] {
        std::vector<std::string> requests;
        for (int i = 0; i < counts_.creations; ++i) {
            char empty[32];
            std::snprintf(empty, sizeof empty, "empty%04d.example", ++next_empty_);
            requests.push_back(creation("million.example").bytes);
            requests.push_back(creation(empty).bytes);
        }
        service_->new_lines();
        well(load::one_by_one(port_, requests));
        const auto times = database_milliseconds(service_->new_lines());
        if (times.size() != requests.size())
            throw std::runtime_error("the log tells of " + std::to_string(times.size())
                                     + " creations");
        std::vector<double> million, empty;
        for (std::size_t i = 0; i < times.size(); i += 2) {
            million.push_back(times[i]);
            empty.push_back(times[i + 1]);
        }
        in_million.push_back(median(million));
        in_empty.push_back(median(empty));
        quotients.push_back(ratio(in_million.back(), in_empty.back()));
    });
    table_.add({"database time of a create in a domain of a million / in an empty one", 1.1,
                Direction::at_most, "", quotients});
}

void Bench::storm()
{
    constexpr int kPosting = 16;
    const double rate = saturation() / 4;
    const std::chrono::seconds duration{counts_.open_loop_seconds / 2 + 1};
    std::vector<double> quotients, calm, stormy;
    const load::AheadOfAll ahead;  // of the processes that hash
    const auto p99 = [&] {
        return percentile(
            well(load::open_loop(port_, rate, duration, listing_of_100())).milliseconds, 0.99);
    };
    rounds("storm", [&] {
        calm.push_back(p99());
        std::promise<void> begun;
        auto posts = std::async(std::launch::async, [&] {
            int asked = 0;
            return well(load::closed_loop(port_, kPosting, duration + 1s, [&] {
                if (++asked == kPosting + 1) begun.set_value();  // the first one is answered
                return creation("posts.example");
            }));
        });
        begun.get_future().wait();
        stormy.push_back(p99());
        posts.get();
        quotients.push_back(ratio(stormy.back(), calm.back()));
    });
    table_.add({"p99 of the list during a storm of 16 POST clients / without", 3,
                Direction::at_most, "", quotients});
    char text[100];
    std::snprintf(
        text, sizeof text,
        "p99 %.2f ms, during the storm %.2f ms, of lists of 100 at a quarter of saturation",
        median(calm), median(stormy));
    Table::note(text);
}

// Measures another account's requests, alone and while 16 clients of one account send batches of
// 100 mailboxes.
void Bench::flood()
{
    constexpr int kFlooding = 16;
    constexpr int kBatch = 100;
    const std::vector<std::string> methods{"PUT", "DELETE", "GET"};
    std::map<std::string, std::vector<double>> alone, flooded;
    std::vector<double> quotients;
    int next_name = 0;
    int next_batch = 0;
    // Measures a round's requests one after another, for each kind separately. The mailboxes exist
    // before.
    const auto measure = [&](std::map<std::string, std::vector<double>>& times) {
        std::map<std::string, std::vector<std::string>> requests;
        std::vector<std::string> creations;
        for (int i = 0; i < counts_.flooded; ++i) {
            const auto name = "flooded" + std::to_string(++next_name);
            creations.push_back(load::with_form("POST", path("posts.example"), key_,
                                                "mailbox=" + name + "&password=correct-horse"));
            requests["PUT"].push_back(load::with_form("PUT", path("posts.example") + "/" + name,
                                                      key_, "password=correct-horses"));
            requests["DELETE"].push_back(
                load::with_form("DELETE", path("posts.example") + "/" + name, key_, ""));
            requests["GET"].push_back(load::get(path("posts.example"), key_));
        }
        load::one_by_one(port_, creations);
        std::vector<double> puts;
        for (const auto& method : methods) {
            const auto result = load::one_by_one(port_, requests[method]);
            if (method == "PUT") puts = result.milliseconds;
            if (result.errors() != 0)
                throw std::runtime_error(method
                                         + " of another account: " + result.described_errors());
            times[method].insert(times[method].end(), result.milliseconds.begin(),
                                 result.milliseconds.end());
        }
        return median(puts);
    };
    rounds("flood", [&] {
        const auto calm = measure(alone);
        std::atomic<bool> is_over{false};
        std::promise<void> begun;
        auto flood = std::async(std::launch::async, [&] {
            int asked = 0;
            return load::closed_loop(port_, kFlooding, 1h, [&]() -> std::optional<load::Request> {
                if (++asked == kFlooding) begun.set_value();
                if (is_over) return std::nullopt;
                std::string form;
                const auto prefix = "batch" + std::to_string(++next_batch) + "-";
                for (int i = 0; i < kBatch; ++i)
                    form += "mailbox=" + prefix + std::to_string(i) + "&password=correct-horse&";
                form.pop_back();
                return load::Request{
                    load::with_form("POST", path("flood.example"), settings_["flood_key"], form)};
            });
        });
        begun.get_future().wait();
        quotients.push_back(ratio(measure(flooded), calm));
        is_over = true;
        flood.get();
    });
    table_.add(
        {"another account's PUT during a flood of batches of 100 by 16 clients / alone, medians",
         2.5, Direction::at_most, "", quotients});
    for (const auto& method : methods) {
        char text[160];
        std::snprintf(
            text, sizeof text,
            "%s alone: median %.1f ms, p99 %.1f; during the flood: median %.1f ms, p99 %.1f",
            method.c_str(), median(alone[method]), percentile(alone[method], 0.99),
            median(flooded[method]), percentile(flooded[method], 0.99));
        Table::note(text);
    }
}

// --- Memory, start, and a long run --------------------------------------------------------------

void Bench::memory()
{
    table_.add({"PSS of an idle worker", 2, Direction::at_most, "MiB", idle_pss_});
    service_.reset();
    const auto alone = start_service("one-worker.conf");
    const pid_t worker = alone->workers().at(0);
    std::mt19937 random{1};
    const auto wrong_key = std::string{key_}.replace(20, 1, key_[20] == 'a' ? "b" : "a");
    const std::vector<std::string> kinds{
        load::get(path("ten-thousand.example"), key_),
        load::get(path("ten-thousand.example", "limit=1"), key_),
        load::get(path("million.example", "skip=500000"), key_),
        load::get(path("ten-thousand.example", "limit=1000"), key_),
        load::get(path("nobody.example"), key_),
        load::get(path("hundred.example"), wrong_key),
        load::get(path("hundred.example", "limit=x"), key_),
        load::get("/v3/nothing/here/mailboxes", key_)};
    std::discrete_distribution<std::size_t> kind{40, 20, 10, 3, 8, 7, 6, 6};
    std::vector<double> sizes;
    int done = 0;
    for (const int until : counts_.memory_at) {
        load::closed_loop(port_, 4, 1h, [&]() -> std::optional<load::Request> {
            if (done == until) return std::nullopt;
            if (++done % 1000 == 0)
                progress("memory, request " + std::to_string(done) + " of "
                         + std::to_string(counts_.memory_at.back()));
            return load::Request{kinds[kind(random)]};
        });
        sizes.push_back(service::pss(worker));
    }
    if (alone->workers().at(0) != worker)
        throw std::runtime_error("the reading worker was replaced");
    std::string note = "PSS of the reading worker:";
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        char text[60];
        std::snprintf(text, sizeof text, "%s %.2f MiB after %d", i == 0 ? "" : ",", sizes[i],
                      counts_.memory_at[i]);
        note += text;
    }
    // Flat: the last value is at most one percent above the first.
    const bool is_flat = sizes.back() <= sizes.front() * 1.01;
    Table::note(note + (is_flat ? ": flat" : ": NOT FLAT"));
    // The goal holds for all measurements.
    table_.add({"PSS of a reading worker after 100,000 mixed requests, to a million", 6,
                Direction::at_most, "MiB", sizes, figures::Value::greatest});
}

void Bench::start()
{
    service_.reset();
    std::vector<double> seconds;
    const http::Request request{.method = "GET",
                                .target = path("hundred.example", "limit=1"),
                                .headers = {{"Authorization", http::basic(key_)}}};
    const http::Server server{static_cast<std::uint16_t>(port_)};
    rounds("start", [&] {
        const auto begin = std::chrono::steady_clock::now();
        const auto started = start_service();
        if (!process::eventually([&] { return server.send(request).status == 200; }, 15s, 1ms))
            throw std::runtime_error("no answer after the start");
        seconds.push_back(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    });
    table_.add(
        {"start of the service until the first answer", 0.5, Direction::at_most, "s", seconds});
}

void Bench::mix()
{
    service_.reset();
    service_ = start_service();
    std::mt19937 random{2};
    std::discrete_distribution<int> kind{90, 5, 3, 2};
    std::vector<std::string> ours;  // acknowledged, not deleted yet
    std::vector<double> sizes;
    const auto all_pss = [&] {
        double sum = 0;
        for (const pid_t worker : service_->workers()) sum += service::pss(worker);
        return sum;
    };
    const auto begin = std::chrono::steady_clock::now();
    int looks = 0;
    std::uint64_t requests = 0;
    const auto result =
        load::closed_loop(port_, kConnections, std::chrono::seconds{counts_.mix_seconds},
                          [&] {
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
        if (++requests % 100 == 0)
            progress("mix, second " + std::to_string(std::lround(spent.count())) + " of "
                     + std::to_string(counts_.mix_seconds));
        // During the first tenth everything grows to its normal size.
        if (spent.count() > counts_.mix_seconds * (0.1 + 0.2 * looks)) {
            ++looks;
            sizes.push_back(all_pss());
        }
        switch (ours.empty() ? std::min(kind(random), 2) : kind(random)) {
        case 1:
            return load::Request{load::with_form(
                "PUT", path("hundred.example") + "/user00000" + std::to_string(10 + random() % 90),
                key_, "password=battery-staple")};
        case 2: {
            const auto name = new_name();
            return load::Request{load::with_form("POST", path("posts.example"), key_,
                                                 "mailbox=" + name + "&password=correct-horse"),
                                 [&, name](int status) {
                if (status == 200) ours.push_back(name);
                                 }};
        }
        case 3: {
            std::swap(ours[random() % ours.size()], ours.back());
            const auto name = ours.back();
            ours.pop_back();
            return load::Request{
                load::with_form("DELETE", path("posts.example") + "/" + name, key_, "")};
        }
        default: return *listing_of_100()();
        }
        });
    sizes.push_back(all_pss());
    auto errors = static_cast<double>(result.errors());
    if (errors > 0) Table::note("mix: " + result.described_errors());
    char text[200];
    const double growth = sizes.back() - sizes.front();
    std::snprintf(
        text, sizeof text,
        "mix: %zu requests in %.0f s, workers' PSS together %.1f MiB, %+.2f MiB since the first tenth of the time",
        result.milliseconds.size(), result.seconds, sizes.back(), growth);
    Table::note(text);
    // Growth beyond a few pages counts as an error.
    if (growth > 0.05 * sizes.front()) ++errors;
    table_.add(
        {"90 % list, 5 % PUT, 3 % POST, 2 % DELETE: errors", 0, Direction::at_most, "", {errors}});
}

// Not a figure of the table but a promise: no refusal up to the bound, and 503 at once beyond it.
void Bench::overload()
{
    const auto within =
        load::closed_loop(port_, 500, std::chrono::seconds{counts_.seconds}, listing_of_100());
    Table::note("500 connections: "
                + (within.errors() == 0 ? std::string{"none refused"} : within.described_errors()));
    const auto beyond =
        load::closed_loop(port_, 700, std::chrono::seconds{counts_.seconds}, listing_of_100());
    const auto refused = beyond.others.find(503);
    char text[120] = "700 connections: none refused";
    if (refused != beyond.others.end()) {
        std::snprintf(
            text, sizeof text,
            "700 connections: %zu times 503, half of them within %.1f ms, 99 per cent within %.1f ms",
            refused->second.size(), median(refused->second), percentile(refused->second, 0.99));
    }
    Table::note(text);
}

void Bench::run()
{
    // Before any request, with the default settings.
    service_ = start_service();
    for (const pid_t worker : service_->workers()) idle_pss_.push_back(service::pss(worker));

    // Deletes mailboxes throughout the domain of a million, which is then filled to a million
    // again.
    progress("deleting all over the domain of a million");
    std::vector<std::string> holes;
    for (int i = 1; i <= kDeletedOfMillion; ++i) {
        char name[32];
        std::snprintf(name, sizeof name, "/user%07d", i * 1000 + i % 7);
        holes.push_back(load::with_form("DELETE", path("million.example") + name, key_, ""));
    }
    well(load::one_by_one(port_, holes));

    // The cost of growth is measured with lists that are read each time, not cached.
    const std::vector<std::pair<std::string, Part>> parts{
        {"lists", &Bench::lists},       {"open-loop", &Bench::open_loop},
        {"tail", &Bench::tail},         {"", &Bench::keep_nothing},
        {"lists", &Bench::lists_read},  {"skip", &Bench::skip},
        {"million", &Bench::million},   {"paging", &Bench::paging},
        {"", &Bench::keep_pages},       {"posts", &Bench::posts},
        {"deletes", &Bench::deletes},   {"create", &Bench::create_time},
        {"storm", &Bench::storm},       {"flood", &Bench::flood},
        {"overload", &Bench::overload}, {"memory", &Bench::memory},
        {"start", &Bench::start},       {"mix", &Bench::mix}};
    for (const auto& [name, part] : parts) {
        if (name.empty() || is_wanted(name)) (this->*part)();
    }
    service_.reset();
    if (settings_["only"].empty()) write("results.json", table_.json());
}

}  // namespace

int main(int argc, char** argv)
try {
    const Settings settings{argc, argv};
    Bench{settings}.run();
} catch (const std::exception& problem) {
    std::fprintf(stderr, "\nbench: %s\n", problem.what());
    return 1;
}
