//! Every integration test, in one program. One line a module, in the order of the alphabet.

mod support;

mod approvals;
mod approvals_browser;
mod architecture;
mod browser_pages;
mod browser_path;
mod catalog;
mod cluster;
mod corpus;
mod demo;
mod downstream;
mod files;
mod health;
mod help;
mod home;
mod instances;
mod jobs;
mod kill;
mod migrations;
mod options;
mod options_browser;
mod options_command;
mod options_products;
mod routes;
mod sample;
mod schedule;
mod schema;
mod serve;
mod signin;
mod sync;
mod synchronize;
mod updates_page;
mod weight;
