// first.h - if the environment has TEST_FIRST, the test program ends at the first failed test. The
// remaining tests are skipped, and everything that was started is stopped as always.
// scripts/mutants uses it, because one failure is enough there.
#pragma once

#include <cstdlib>

#include <boost/test/framework.hpp>
#include <boost/test/results_collector.hpp>
#include <boost/test/tree/observer.hpp>
#include <boost/test/tree/test_unit.hpp>
#include <boost/test/tree/traverse.hpp>
#include <boost/test/tree/visitor.hpp>

namespace first {

class Ending : public boost::unit_test::test_observer {
public:
    Ending()
    {
        if (std::getenv("TEST_FIRST") != nullptr)
            boost::unit_test::framework::register_observer(*this);
    }
    ~Ending() override { boost::unit_test::framework::deregister_observer(*this); }
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;

    int priority() override { return 10; }  // runs after the observer that collects the results
    void test_unit_finish(const boost::unit_test::test_unit& unit,
                          unsigned long /*elapsed*/) override
    {
        if (has_ended_ || boost::unit_test::results_collector.results(unit.p_id).passed()) return;
        has_ended_ = true;
        boost::unit_test::traverse_test_tree(boost::unit_test::framework::master_test_suite(), off_,
                                             true);
    }

private:
    struct Off : boost::unit_test::test_tree_visitor {
        void visit(const boost::unit_test::test_case& each) override
        {
            boost::unit_test::framework::get(each.p_id, boost::unit_test::TUT_CASE)
                .p_run_status.value = boost::unit_test::test_unit::RS_DISABLED;
        }
    } off_;
    bool has_ended_ = false;
};

}  // namespace first
