from pytest_ratelimit import Trace, check

trace = Trace.load("trace.jsonl")
print(trace)
for finding in check(trace):
    print(finding.severity, finding.title)
