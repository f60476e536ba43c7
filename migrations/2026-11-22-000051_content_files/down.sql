DROP TABLE content_files;
