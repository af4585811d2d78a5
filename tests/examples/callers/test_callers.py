from planner import ask_by_header, plan_and_review


def test_callers_have_names(fake_provider):
    plan_and_review()
    ask_by_header()
    assert fake_provider.trace.callers == ("planner", "reviewer", "writer")
