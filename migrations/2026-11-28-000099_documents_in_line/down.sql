ALTER TABLE documents RESET (toast_tuple_target);
