DROP TABLE run_hosts;
