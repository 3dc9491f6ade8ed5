-- How often the program of a customer may ask, by the package that it pays for.
alter table feature_packages add column api_per_minute integer check (api_per_minute > 0);
