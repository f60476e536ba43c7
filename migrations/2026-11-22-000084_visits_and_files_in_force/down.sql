DROP VIEW files_in_force;
DROP TABLE product_visits;
