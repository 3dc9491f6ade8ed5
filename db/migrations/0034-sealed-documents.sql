-- The end of documents in clear: they are sealed between 0034-agreements and this, in code.
alter table documents drop column content, alter column content_sealed set not null;
