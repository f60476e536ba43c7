DROP INDEX updates_search;
