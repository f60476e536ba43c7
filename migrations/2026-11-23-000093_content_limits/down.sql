DROP TABLE content_limits;
