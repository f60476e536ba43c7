-- catalog: a document of usual size (2 to 4 KB as a cabinet) stands in its row. In pieces beside it, each was written with
-- two more rows and two more index entries.
ALTER TABLE documents SET (toast_tuple_target = 8160);
