from pipeline import run_pipeline


def test_the_job_is_done():
    run_pipeline(agents=12)
