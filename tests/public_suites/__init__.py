"""The test suites of libraries that know nothing of virtual time, under the virtual clock."""
